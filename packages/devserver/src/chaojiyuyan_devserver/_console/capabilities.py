"""The catalog, and a form to call a capability."""

import json
from collections import Counter
from dataclasses import dataclass, field

from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from chaojiyuyan_devserver.kernel import Order, Refusal, Spec

from .forms import Field, Json, fields_of, mark_errors, parse_object, read_fields
from .language import Language
from .page import Page, form, router

MAX_TIMEOUT = 86400
"""The longest timeout of a job, in seconds."""


@dataclass
class Call:
    """A call as the form shows it. The input is in the fields, or in the text as JSON."""

    agent_id: str
    fields: list[Field] | None
    text: str = "{}"
    idempotency_key: str = ""
    timeout: str = ""  # seconds
    errors: list[str] = field(default_factory=list)  # errors that belong to no field

    @property
    def is_wrong(self) -> bool:
        """Whether the form has errors and the call cannot be sent."""
        return bool(self.errors) or any(one.error for one in self.fields or ())


def _require_spec(page: Page, capability_key: str) -> Spec:
    spec = page.kernel.catalog.get(capability_key)
    if spec is None:
        raise Refusal(404, "unknown_capability", "There is no such capability.")
    return spec


def _show(page: Page, spec: Spec, call: Call) -> Response:
    callers = page.kernel.agents.active
    return page.render(
        "capability.html",
        status=400 if call.is_wrong else 200,
        spec=spec,
        call=call,
        callers=callers,
        handlers=[agent for agent in callers if spec.capability_key in agent.handler_set],
        is_simple=fields_of(spec.input_schema) is not None,
    )


@router.get("/catalog")
async def capabilities(page: Page) -> Response:
    specs = page.kernel.catalog.list()
    workers = Counter(key for agent in page.kernel.agents.active for key in agent.handler_set)
    return page.render("catalog.html", live=("Agent",), specs=specs, workers=workers)


@router.get("/catalog/{capability_key:path}")
async def capability(page: Page, capability_key: str, form: str = "fields") -> Response:
    """Show one capability with its form; with ``?form=json``, one text area for JSON."""
    spec = _require_spec(page, capability_key)
    fields = fields_of(spec.input_schema) if form != "json" else None
    examples = spec.input_schema.get("examples") or [{}]
    text = json.dumps(examples[0], indent=2, ensure_ascii=False)
    return _show(page, spec, Call(page.service.ready_agent.id, fields, text))


@form("/catalog/{capability_key:path}")
async def call_capability(page: Page, capability_key: str) -> Response:
    """Call the capability and go to the job, or show the form's errors."""
    spec = _require_spec(page, capability_key)
    call, value = _read(spec, await page.request.form(), page.language)
    agent = page.kernel.agents.require(call.agent_id)
    if agent.revoked_at is not None:
        call.errors.append(page.language("form.revoked"))
    if not call.is_wrong:
        try:
            order = Order(
                capability_key,
                value,
                idempotency_key=call.idempotency_key or None,
                timeout_sec=int(call.timeout) if call.timeout else None,
            )
            job, _ = page.service.create_job(agent, order)
        except Refusal as refusal:
            errors = refusal.extra.get("validation_errors", [refusal.error])
            call.errors += errors if call.fields is None else mark_errors(call.fields, errors)
        else:
            return RedirectResponse(f"/jobs/{job.id}", 303)
    return _show(page, spec, call)


def _read(spec: Spec, form: FormData, language: Language) -> tuple[Call, Json]:
    def text(name: str) -> str:
        return str(form.get(name, "")).strip()

    call = Call(
        agent_id=text("agent"),
        fields=None if "json" in form else fields_of(spec.input_schema),
        text=str(form.get("json", "")),
        idempotency_key=text("idempotency_key"),
        timeout=text("timeout_sec"),
    )
    value: Json = {}
    if call.fields is not None:
        value = read_fields(call.fields, form, language)
    else:
        try:
            value = parse_object(call.text, language)
        except ValueError as error:
            call.errors.append(str(error))
    if call.timeout and not (call.timeout.isdecimal() and 1 <= int(call.timeout) <= MAX_TIMEOUT):
        call.errors.append(language("form.timeout", maximum=MAX_TIMEOUT))
    return call, value

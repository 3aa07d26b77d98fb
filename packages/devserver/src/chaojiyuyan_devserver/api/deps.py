"""What FastAPI hands to the pages and to the control endpoints."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from chaojiyuyan_devserver.service import KernelService


def service_of(request: Request) -> KernelService:
    """The service behind the app."""
    service: KernelService = request.app.state.service
    return service


Service = Annotated[KernelService, Depends(service_of)]

// Gives every request of the process the token of the environment; Node loads it with --require.
const channel = require("node:diagnostics_channel");
const http = require("node:http");
const authorization = `Bearer ${process.env.MCP_TOKEN}`;

channel.subscribe("undici:request:create", ({ request }) => {
  request.addHeader("authorization", authorization);
});

const { request } = http;
http.request = (...args) => {
  const options = args.find((each) => typeof each === "object" && !(each instanceof URL));
  if (options) options.headers = { ...options.headers, authorization };
  return request(...args);
};

"""The Jupiter face on aiohttp."""

from __future__ import annotations

from aiohttp import web

from keeper.sim.localnet.jupiter.face import JupiterFace


class JupiterServer:
    """Routes everything under /swap/ to the face."""

    def __init__(self, face: JupiterFace) -> None:
        self._face = face

    def routes(self) -> list[web.RouteDef]:
        """For the localnet's HTTP application."""
        return [web.route("*", "/swap/{rest:.*}", self.serve)]

    async def serve(self, request: web.Request) -> web.Response:
        """One request."""
        body = await request.read() if request.can_read_body else None
        status, headers, answer = await self._face.handle(
            request.method, request.path, dict(request.query), dict(request.headers), body
        )
        if isinstance(answer, str):
            return web.Response(status=status, headers=headers, text=answer)
        return web.json_response(answer, status=status, headers=headers)

"""What `make demo` runs: load the shop, serve it, and say what to try; with --check, try it and end."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
APP = "examples/shop/app.py:app"  # as one names it from the root of the repository
sys.path.insert(0, str(HERE))


def main(arguments: list[str]) -> int:
    """Load the shop and serve it, or check it; return the exit code."""
    checking = "--check" in arguments
    fresh()
    api, mcp = port(8000), port(3001)
    os.environ["PORT"], os.environ["MCP_PORT"] = str(api), str(mcp)
    import stock
    from app import app, db

    loaded = stock.load(db)
    print("The shop is loaded: " + ", ".join(f"{count} {name}" for name, count in loaded.items()))
    if not checking:
        print(page(api, mcp))
        app.start()
        return 0
    app.start(blocking=False)
    try:
        return check(api, mcp)
    finally:
        app.stop()


def fresh() -> None:
    """Begin with an empty database file; a database of the user's own is left as it is."""
    if "DATABASE_URL" not in os.environ:
        for file in HERE.glob("shop.db*"):
            file.unlink()


def port(wanted: int) -> int:
    """Return *wanted*, or, said aloud, a free one where it is taken."""
    for candidate in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
        if found != wanted:
            print(f"Port {wanted} is taken, so this uses {found}.")
        return found
    raise SystemExit("there is no free port")


REQUESTS = (
    ("GET", "/health/ready", None),
    ("GET", "/api/products?category=phones&price__lt=500&active=true&sort=-price&limit=3&fields=sku,name,price", None),
    ("POST", "/api/products", {"sku": "NEW-1", "name": "Paper lamp", "category": "garden", "price": 24.5, "stock": 10}),
    ("GET", "/api/products/1", None),
    ("PATCH", "/api/products/1", {"stock": {"$inc": 5}}),
    ("GET", "/api/products/count?stock__lt=10", None),
    ("POST", "/api/products", {"sku": "NEW-2", "price": "cheap"}),
    ("GET", "/api/products?prise__gte=100", None),
)

COMMANDS = (
    ["products", "list", "--category", "audio", "--sort", "-price", "--limit", "3", "--output", "table"],
    ["products", "create", "--sku", "NEW-3", "--name", "Tea mug", "--category", "kitchen", "--price", "9.99"],
    ["orders", "count", "--status", "pending"],
    ["products", "get", "999999"],
)


def page(api: int, mcp: int) -> str:
    """Return the short page of what to try."""
    base = f"http://127.0.0.1:{api}"
    configuration = {"mcpServers": {"shop": {"url": f"{base}/mcp"}}}
    lines = [
        "",
        f"The shop is open at {base}  (Ctrl-C closes it)",
        "",
        "HTTP",
        *[f"  {curl(base, *request)}" for request in REQUESTS[1:6]],
        f"  open {base}/docs in a browser; the description is {base}/openapi.json",
        "",
        "Command line (another terminal)",
        f"  export NEXUS_APP={APP}",
        *[f"  .venv/bin/nexus {shell(command)}" for command in COMMANDS[:3]],
        "",
        f"Agents (MCP): streamable HTTP at {base}/mcp and http://127.0.0.1:{mcp}/mcp, or `nexus mcp` on stdio",
        f"  {json.dumps(configuration)}",
        "",
    ]
    return "\n".join(lines)


def check(api: int, mcp: int) -> int:
    """Make the requests of the page, and show them with their answers; return the exit code."""
    base = f"http://127.0.0.1:{api}"
    wrong = sum([not request(base, *each) for each in REQUESTS])
    wrong += sum([not command(each) for each in COMMANDS])
    wrong += not tools(f"{base}/mcp") + (not tools(f"http://127.0.0.1:{mcp}/mcp"))
    print(f"\n{'Everything answered as it should.' if not wrong else f'{wrong} answers were not as they should be.'}")
    return 1 if wrong else 0


def request(base: str, method: str, path: str, body: object) -> bool:
    """Make one HTTP request and show it; return whether it was answered as expected."""
    print(f"\n$ {curl(base, method, path, body)}")
    sent = urllib.request.Request(
        base + path,
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json"},
        method=method,
    )
    try:
        with urllib.request.urlopen(sent, timeout=30) as answer:
            status, text = answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        status, text = refused.code, refused.read().decode()
    print(f"{status} {text[:600]}")
    expected = {6: 422, 7: 400}.get(REQUESTS.index((method, path, body)), 200)
    return status == expected or (expected == 200 and status == 201)


def command(words: list[str]) -> bool:
    """Run one nexus command and show it; return whether it ended as expected."""
    print(f"\n$ nexus {shell(words)}")
    ended = subprocess.run(
        [sys.executable, "-m", "nexus", "--app", APP, *words],
        cwd=HERE.parents[1],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    print((ended.stdout + ended.stderr).rstrip())
    absent = words[-1] == "999999"
    print(f"exit code {ended.returncode}")
    return ended.returncode == (4 if absent else 0)


def tools(url: str) -> bool:
    """List and call tools over MCP, with the SDK's own client, and show it."""
    from mcp.client import Client

    async def talk() -> bool:
        async with Client(url) as client:
            listed = await client.list_tools()
            print(f"\n# MCP {url}: {len(listed.tools)} tools: {', '.join(tool.name for tool in listed.tools[:4])}, ...")
            answer = await client.call_tool("database_products_list", {"filter": {"stock": {"$lt": 5}}, "limit": 2})
            print(f"# database_products_list: {json.dumps(answer.structured_content)[:300]}")
            return not answer.is_error

    return asyncio.run(talk())


def curl(base: str, method: str, path: str, body: object) -> str:
    """Return the request as one types it."""
    verb = "" if method == "GET" else f"-X {method} "
    content = "" if body is None else f" -H 'Content-Type: application/json' -d '{json.dumps(body)}'"
    return f"curl {verb}'{base}{path}'{content}"


def shell(words: list[str]) -> str:
    """Return the words as one types them."""
    return " ".join(f'"{word}"' if " " in word else word for word in words)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

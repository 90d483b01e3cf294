# Two commands, and nothing else: a machine needs Python 3.11 or newer, make and git.
# Everything else that there is to run is in tox.ini.
.PHONY: demo test

demo: ## a real shop on SQLite: HTTP, command line, agent tools (CHECK=1 asks it everything itself and ends)
	@tools/bootstrap.sh demo
	@.venv/bin/python examples/shop/demo.py $(if $(CHECK),--check)

test: ## all of it, on SQLite and PostgreSQL (ONLY="types layers" runs some stages)
	@tools/bootstrap.sh dev
	@.venv/bin/python tools/workshop.py $(ONLY)

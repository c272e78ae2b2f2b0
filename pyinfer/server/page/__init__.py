"""The chat page: static files that a browser gets at ``/``, and the routes that serve them.

Lives here: ``index.html``, ``style.css`` and ES modules, written by hand and served as they are;
no build step, no address but the server's own. ``markdown.js``, ``inline.js`` and ``math.js`` turn
text of a model into DOM nodes (never into HTML source), ``api.js`` asks the OpenAI dialect,
``chats.js`` and ``settings.js`` keep what the browser stores, ``message.js`` shows one message and
``app.js`` connects them.
May import: fastapi and starlette only. Imported by the app of the server and its root route.
Read ``routes.py`` first, then ``app.js``.
"""

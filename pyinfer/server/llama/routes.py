"""Routes of the llama-server dialect."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter(tags=["llama"])

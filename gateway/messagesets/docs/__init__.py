"""The documentation of all message sets, made from the sets themselves: static pages in Dutch and English."""

from gateway.messagesets.docs.site import SiteFile, build_docs

__all__ = ["SiteFile", "build_docs"]

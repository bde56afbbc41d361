"""The edits: verbs over documents, one module for each part of a domain.

A verb is a plain function whose first argument is the view that it edits. It speaks libvirt's own words, checks its
values before it touches anything, and twice is once. A new verb is a function in the module of its part, and a name in
the package's face.
"""

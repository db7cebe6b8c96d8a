"""The owner of a folder of KV chunks on a shared volume: quota, eviction by measured reuse, purge, canary.

vLLM's filesystem tier writes and never removes. This program stands beside the engines (`python3 -m`, with nothing but
the standard library, and pyzmq and msgspec where KV events are heard, which every vLLM image has), reads the folder,
follows the engines' KV events, and keeps the folder within its quota. It imports nothing of ours, so that its files can
be mounted into any image with a Python.
"""

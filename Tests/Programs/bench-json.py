"""Python objects through JSON and back, on malloc (PYTHONMALLOC=malloc). usage: bench-json.py ROUNDS"""

import json
import sys

rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
total = 0
for r in range(rounds):
    rows = [{"id": i, "name": f"row {i * 7 % 1000}", "tags": [str(i % 13), str(i % 7)]} for i in range(5000)]
    total += len(json.loads(json.dumps(rows)))
print(total)

"""The five expressions of the dask.array talk on 10000 x 10000 doubles: aosx beside dask, each a whole process that
reads x from a Zarr store and writes its result to another; the values are compared.

    python benches/talk.py target/release/aosx [FOLDER]

Needs numpy, zarr and dask, and GNU time. Prints wall and CPU seconds, peak memory in MiB, and aosx's wall in dask's.
"""
import pathlib, subprocess, sys, tempfile

import numpy as np
import zarr

N, CHUNK, MEMORY = 10_000, 1_000, "256MiB"
WORK = {  # name: the expression for aosx, the same for dask, the most of dask's wall time that it may take
    "sum": ("y = sum(x, 1)", "x.sum(axis=1)", 0.5),
    "transpose": ("y = x + transpose(x)", "x + x.T", 0.5),
    "dot": ("y = x @ (transpose(x) + 1)", "x.dot(x.T + 1)", 1.3),
    "minus mean": ("y = x @ (transpose(x) + 1) - mean(x, 0)", "x.dot(x.T + 1) - x.mean(axis=0)", 1.3),
    "std": ("y = std(x @ (transpose(x) + 1) - mean(x, 0))", "(x.dot(x.T + 1) - x.mean(axis=0)).std()", 1.3),
}
DASK = """
import sys, dask.array as da, numpy as np, zarr
x = da.from_zarr(sys.argv[1], component="x")
y = {}
g = zarr.open_group(sys.argv[2], mode="w", zarr_format=3)
if y.ndim:
    y = y.rechunk({}) if y.ndim == 2 else y
    da.to_zarr(y, g.create_array("y", shape=y.shape, chunks=({},) * y.ndim, dtype="f8", compressors=None))
else:
    g.create_array("y", shape=(), dtype="f8")[...] = np.float64(y.compute())
"""


def timed(command):
    with tempfile.NamedTemporaryFile("r") as out:
        done = subprocess.run(["/usr/bin/time", "-q", "-o", out.name, "-f", "%e %U %S %M", *command], capture_output=True)
        if done.returncode:
            sys.exit(f"{command}: {done.stderr.decode()[-2000:]}")
        wall, user, system, peak = map(float, out.read().split()[-4:])
    return wall, user + system, peak / 1024


def main():
    aosx = sys.argv[1]
    folder = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp())
    source = folder / "x.zarr"
    if not source.exists():
        group = zarr.open_group(source, mode="w", zarr_format=3)
        x = group.create_array("x", shape=(N, N), chunks=(CHUNK, CHUNK), dtype="f8", compressors=None)
        random = np.random.default_rng(1)
        for row in range(0, N, CHUNK):
            x[row:row + CHUNK] = random.standard_normal((CHUNK, N))
    print(f"{'':12} {'aosx: wall  CPU  MiB':>24} {'dask: wall  CPU  MiB':>26}   ratio  at most")
    failed = False
    for name, (ours, theirs, most) in WORK.items():
        a, b = folder / "aosx.zarr", folder / "dask.zarr"
        mine = timed([aosx, "calc", ours, str(source), "--memory", MEMORY, "-q", "--codec", "none", "-o", str(a)])
        peer = timed([sys.executable, "-c", DASK.format(theirs, CHUNK, CHUNK), str(source), str(b)])
        got, want = zarr.open_group(a, mode="r")["y"], zarr.open_group(b, mode="r")["y"]
        rows = range(0, got.shape[0], CHUNK) if got.ndim else [None]
        same = all(np.allclose(got[r:r + CHUNK], want[r:r + CHUNK], rtol=1e-9, atol=1e-9) if r is not None
                   else np.allclose(got[...], want[...], rtol=1e-12) for r in rows)
        ratio = mine[0] / peer[0]
        good = same and ratio <= most and mine[2] <= 256
        failed |= not good
        print(f"{name:12} {mine[0]:12.2f} {mine[1]:6.2f} {mine[2]:5.0f} {peer[0]:14.2f} {peer[1]:6.2f} {peer[2]:6.0f}"
              f"   {ratio:5.2f}  {most:4.1f}  {'ok' if good else 'FAILED' if same else 'WRONG VALUES'}")
    sys.exit(failed)


if __name__ == "__main__":
    main()

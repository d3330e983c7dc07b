"""The workloads that Coiled's geospatial benchmark runs on a cluster, in small, by aosx and by xarray with dask.

    python benches/geospatial.py target/release/aosx [FOLDER] [--runs 1] [--work NAME,...] [--memory 512MiB]

Needs xarray, dask, netCDF4, zarr and GNU time. FOLDER (default: one in the system's temporary folder) keeps the synthetic
inputs, about 3 GB, for the next time. Both tools run as whole processes, in turn; every result is read back and compared
before a time is printed. Figures: wall seconds, CPU seconds, peak MiB.
"""

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

import numpy as np
import xarray as xr

HOURS = "hours since 2000-01-01"


def field(rng, shape, base, amplitude):
    """Noise on a wave, rounded so that it compresses about as model output does."""
    t, *rest = shape
    wave = amplitude * np.sin(np.linspace(0, 6.28, shape[-1]))
    out = base + wave + rng.normal(0, amplitude / 4, size=shape)
    return (np.round(out * 64) / 64).astype("float32")


def make_circulation(folder):
    """Wind and temperature, 6-hourly on levels: what ERA5's monthly files look like."""
    import netCDF4

    path, (nt, nz, ny, nx) = folder / "circulation.nc", (240, 8, 121, 240)
    rng = np.random.default_rng(1)
    with netCDF4.Dataset(path, "w") as ds:
        axes = [("time", nt, np.arange(nt) * 6.0, HOURS), ("lev", nz, np.linspace(1000, 100, nz), "hPa")]
        axes += [("lat", ny, np.linspace(90, -90, ny), "degrees_north")]
        axes += [("lon", nx, np.arange(nx) * 360 / nx, "degrees_east")]
        for name, n, values, units in axes:
            ds.createDimension(name, n)
            v = ds.createVariable(name, "f8", (name,))
            v.units = units
            v[:] = values
        for name, base in [("u", 10), ("v", 0), ("t", 250)]:
            options = dict(zlib=True, complevel=1, shuffle=True, chunksizes=(1, nz, ny, nx))
            v = ds.createVariable(name, "f4", ("time", "lev", "lat", "lon"), **options)
            for k in range(0, nt, 24):
                v[k : k + 24] = field(rng, (24, nz, ny, nx), base, 8)
    return path


def make_hourly(folder):
    """Three years of 6-hourly maps."""
    path, (nt, ny, nx) = folder / "hourly.zarr", (3 * 1460, 91, 180)
    rng = np.random.default_rng(2)
    ds = xr.Dataset(
        {"t": (("time", "lat", "lon"), field(rng, (nt, ny, nx), 280, 10))},
        coords={
            "time": ("time", np.arange(nt) * 6.0, {"units": HOURS, "calendar": "noleap"}),
            "lat": ("lat", np.linspace(90, -90, ny), {"units": "degrees_north"}),
            "lon": ("lon", np.arange(nx) * 2.0, {"units": "degrees_east"}),
        },
    )
    ds.t.encoding["chunks"] = (146, 91, 180)
    ds.to_zarr(path, consolidated=False, zarr_format=3)
    return path


def make_files(folder, name, count, steps, ny, nx):
    """Many files, one behind the other in time."""
    inside = folder / name
    inside.mkdir()
    rng = np.random.default_rng(3)
    for k in range(count):
        values = field(rng, (steps, ny, nx), 280, 10)
        ds = xr.Dataset(
            {"t": (("time", "lat", "lon"), values, {"units": "K"})},
            coords={
                "time": ("time", (np.arange(steps) + k * steps) * 6.0, {"units": HOURS}),
                "lat": ("lat", np.linspace(90, -90, ny), {"units": "degrees_north"}),
                "lon": ("lon", np.arange(nx) * 360 / nx, {"units": "degrees_east"}),
            },
        )
        encoding = {"t": dict(zlib=True, complevel=1, shuffle=True, chunksizes=(1, ny, nx))}
        ds.to_netcdf(inside / f"t_{k:05}.nc", encoding=encoding)
    return inside


INPUTS = {
    "circulation": make_circulation,
    "hourly": make_hourly,
    "files500": lambda folder: make_files(folder, "files500", 500, 8, 121, 240),
    "files2000": lambda folder: make_files(folder, "files2000", 2000, 1, 31, 60),
}

OPEN = """
import sys, warnings; warnings.simplefilter('ignore')
import xarray as xr, numpy as np, dask; dask.config.set(scheduler='threads')
src, out = sys.argv[1:3]
"""
# Both write Blosc with lz4 and shuffle, which has long been the default of Zarr.
ZARR = """
from zarr.codecs import BloscCodec
for v in r.variables.values(): v.encoding.clear()
blosc = BloscCodec(cname='lz4', clevel=5, shuffle='shuffle', typesize=4)
r.to_zarr(out, mode='w', consolidated=False, encoding={'t': {'compressors': blosc}})
"""
EDDY = """
ds = xr.open_dataset(src, chunks={'time': 24})
z = ds.mean('lon'); a = ds - z
r = xr.Dataset({'ub': z.u, 'tb': z.t, 'uv': (a.u * a.v).mean('lon'), 'vt': (a.v * a.t).mean('lon')})
r = r.resample(time='1D').mean()
"""
CALC = (
    "_u = u - mean(u, lon); _v = v - mean(v, lon); _t = t - mean(t, lon); "
    "ub = mean(mean(u, lon), time, every=\"1d\"); tb = mean(mean(t, lon), time, every=\"1d\"); "
    "uv = mean(mean(_u * _v, lon), time, every=\"1d\"); vt = mean(mean(_v * _t, lon), time, every=\"1d\")"
)

WINDOW = """
ds = xr.open_zarr(src, consolidated=False, decode_times=xr.coders.CFDatetimeCoder(use_cftime=True))
g = ds.t.astype('f8').groupby('time.dayofyear'); w = 31.0 - abs(np.arange(-30, 31))
def around(x):
    x = x.chunk(dayofyear=-1).pad(dayofyear=30, mode='wrap')
    x = x.rolling(dayofyear=61, center=True).construct('k').isel(dayofyear=slice(30, -30))
    return x.dot(xr.DataArray(w, dims='k'))
r = (around(g.sum()) / around(g.count())).astype('f4').rename('clim').to_dataset()
"""

# name: (input, aosx's words, a snippet for dask, the ending of the output, the variables compared)
WORK = {
    "circulation": ("circulation", ["calc", CALC, "{i}", "-o", "{o}"], EDDY + "r.to_netcdf(out)", ".nc", "ub tb uv vt"),
    "zonal-average": (
        "circulation",
        ["reduce", "{i}", "--op", "mean", "--axis", "lon", "-o", "{o}"],
        "r = xr.open_dataset(src, chunks={'time': 24}).mean('lon')\nr.to_netcdf(out)",
        ".nc",
        "u v t",
    ),
    "climatology": (
        "hourly",
        ["reduce", "{i}", "--op", "mean", "--by", "time.dayofyear,time.hour", "-o", "{o}"],
        "ds = xr.open_zarr(src, consolidated=False, decode_times=xr.coders.CFDatetimeCoder(use_cftime=True))\n"
        "k = (ds.time.dt.dayofyear * 24 + ds.time.dt.hour).rename('k')\nr = ds.groupby(k).mean()\n"
        "r = r.assign_coords(k=np.arange(r.sizes['k'])).coarsen(k=4).construct(k=('dayofyear', 'hour'))\nr.to_netcdf(out)",
        ".nc",
        "t",
    ),
    "window-climatology": (
        "hourly",
        ["calc", "clim = clim(t, time.dayofyear, window=61, weights=\"triangle\")", "{i}", "-o", "{o}"],
        WINDOW + "r.to_netcdf(out)",
        ".nc",
        "clim",
    ),
    "rechunk": (
        "hourly",
        ["convert", "{i}", "-o", "{o}", "--chunks", "time=all,lat=13,lon=18", "--codec", "blosc:lz4:5"],
        "r = xr.open_zarr(src, consolidated=False, decode_times=False).chunk(time=-1, lat=13, lon=18)" + ZARR,
        ".zarr",
        "t",
    ),
    "cloud-optimise": (
        "files500",
        ["convert", "{i}/t_*.nc", "-o", "{o}", "--chunks", "time=400,lat=61,lon=60", "--codec", "blosc:lz4:5"],
        "r = xr.open_mfdataset(src + '/t_*.nc', decode_times=False).chunk(time=400, lat=61, lon=60)" + ZARR,
        ".zarr",
        "t",
    ),
    "many-files-mean": (
        "files2000",
        ["reduce", "{i}/t_*.nc", "--op", "mean", "--axis", "time", "-o", "{o}"],
        "r = xr.open_mfdataset(src + '/t_*.nc', parallel=False, combine='by_coords').mean('time')\nr.to_netcdf(out)",
        ".nc",
        "t",
    ),
}


def timed(command):
    """Wall and CPU seconds and peak MiB of a whole process."""
    with tempfile.NamedTemporaryFile("r") as figures:
        full = ["/usr/bin/time", "-q", "-o", figures.name, "-f", "%e %U %S %M", *command]
        done = subprocess.run(full, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["it said nothing"]
            sys.exit(f"{command[0]} failed with {done.returncode}: {said[-1]}")
        wall, user, system, peak = map(float, figures.read().split())
    return wall, user + system, peak / 1024


def opened(path):
    if path.suffix == ".zarr":
        return xr.open_zarr(path, consolidated=False, decode_times=False)
    return xr.open_dataset(path, decode_times=False)


def compare(ours, theirs, names):
    a, b = opened(ours), opened(theirs)
    for name in names.split():
        x, y = a[name], b[name]
        if set(x.dims) != set(y.dims):
            sys.exit(f"{name}: dimensions {x.dims} and {y.dims}")
        y = y.transpose(*x.dims)
        if x.shape != y.shape or not np.allclose(x.values, y.values, rtol=1e-5, atol=1e-4, equal_nan=True):
            sys.exit(f"{name}: the values differ")


def main():
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("aosx")
    words.add_argument("folder", nargs="?", type=pathlib.Path)
    words.add_argument("--runs", type=int, default=1)
    words.add_argument("--memory", default="512MiB")
    words.add_argument("--work", default=",".join(WORK))
    args = words.parse_args()
    folder = args.folder or pathlib.Path(tempfile.gettempdir()) / "aosx-geospatial"
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in args.work.split(","):
        source, ours, theirs, ending, variables = WORK[name]
        done = folder / f"{source}.made"
        if not done.exists():
            for stale in folder.glob(f"{source}*"):
                shutil.rmtree(stale) if stale.is_dir() else stale.unlink()
            done.write_text(str(INPUTS[source](folder)))
        source = done.read_text()
        figures = {"aosx": [], "dask": []}
        outputs = {tool: folder / f"{name}-{tool}{ending}" for tool in figures}
        for _ in range(args.runs):
            for tool, out in outputs.items():
                shutil.rmtree(out, ignore_errors=True)
                out.unlink(missing_ok=True)
                fill = [w.replace("{i}", source).replace("{o}", str(out)) for w in ours]
                command = [args.aosx, *fill, "--memory", args.memory, "--quiet"]
                if tool == "dask":
                    command = [sys.executable, "-c", OPEN + theirs, source, str(out)]
                figures[tool].append(timed(command))
        compare(outputs["aosx"], outputs["dask"], variables)
        best = {tool: [statistics.median(column) for column in zip(*rows_)] for tool, rows_ in figures.items()}
        rows.append({"work": name} | best)
        ratio = best["dask"][0] / best["aosx"][0]
        shown = " | ".join(f"{tool} {w:.1f} {c:.1f} {m:.0f}" for tool, (w, c, m) in best.items())
        print(f"{name:16} {shown} | {ratio:.1f} times", flush=True)
        for out in outputs.values():
            shutil.rmtree(out, ignore_errors=True)
            out.unlink(missing_ok=True)
    print(json.dumps(rows))


if __name__ == "__main__":
    main()

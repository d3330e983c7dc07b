//! `aosx reduce`: one value for all along some axes.

use super::{
    Global,
    destination::{self, Destination},
    history,
    input::InputArgs,
    layout::{self, LayoutArgs},
    units::UnitsArgs,
};
use crate::{
    array::{Anchor, Rolling},
    cf::{
        decoding::ValidRange,
        time::{BinOptions, Calendar, Frequency, Origin, Side},
    },
    dataset::{Axes, By, Dataset, KeepDims, Reduction, Statistic, Weights},
    error::{Error, Result, closest},
    kernels::{
        fold::{FoldOptions, Op},
        lanes::{Method, OrderStatistic, Quantiles},
    },
    session::Session,
    source::VarMeta,
};
use std::{io::Write, path::PathBuf};

/// Reduce variables along axes: mean, std, max ...
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  aosx reduce in.nc --var t --op mean --axis time\n  aosx reduce in.zarr --var t,u --op std,min,max --axis lat,lon -o out.zarr\n  aosx reduce in.nc --var t --op quantile,median --q 0.1,0.9 --axis time -o q.nc\n  aosx reduce in.nc --var t --op mean --axis time --rolling 20 -o run.nc\n  aosx reduce in.nc --var t --op mean --by time.month -o clim.nc\n  aosx reduce in.nc --var t --op mean --resample 1d -o daily.nc\n  aosx reduce in.nc --var t --op mean --axis lat,lon --weights area -o series.nc\n  aosx reduce in.nc --var t --op mean --by region --weights area -o regions.nc\n  aosx reduce in.nc --op max --axis time --explain"
)]
pub struct ReduceArgs {
    /// NetCDF, HDF5 or Zarr files; several are joined along time. Patterns go in quotes: 'run*/t_*.nc'
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Variables, as t,u or group/sub/t [default: every numeric variable that has one of the axes]
    #[arg(long, value_delimiter = ',')]
    pub var: Vec<String>,
    /// Operations: sum, prod, mean, min, max, range, var, std, count, any, all, argmin, argmax, first, last; and those
    /// of order: quantile, median, mad, iqr, nunique, mode
    #[arg(long, value_delimiter = ',', required = true)]
    pub op: Vec<String>,
    /// Quantiles from 0 to 1, as 0.1,0.5,0.9, for the operation quantile
    #[arg(long, value_delimiter = ',')]
    pub q: Vec<f64>,
    /// How a quantile between two values is read: NumPy's methods, as linear, nearest, weibull, median_unbiased
    #[arg(long, default_value = "linear")]
    pub method: String,
    /// What each value counts: cos-lat; area (cell_measures, bounds, or the cells of a regular or Gaussian grid);
    /// cell_measures; or a variable of the file. For sum, mean, var, std, count (the sum of weights), quantile, median,
    /// iqr, mad, mode; with --rolling for sum, mean, count
    #[arg(long, value_name = "W")]
    pub weights: Option<String>,
    /// Windows of N values along the one dimension, which stays
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub rolling: Option<u64>,
    /// The result of a window stands at its middle [default: at its last value]
    #[arg(long, requires = "rolling")]
    pub center: bool,
    /// One value for each group, instead of one for all: by a part of a date, time.month (year, season, dayofyear, hour
    /// ...), seasons of your own, 'time.season(JJAS,NDJFM)', the values of a variable or raster, basin, or bins,
    /// 'lat(-90,-30,30,90)'; several at once make a dimension each, time.year,time.month; beside seasons of your own a year
    /// is that in which a season ends. Positions (argmin, argmax) count
    /// from the first of each group
    #[arg(long, value_name = "WHAT")]
    pub by: Option<String>,
    /// One value for each bin of time: 6h, 1d, 5d, 1mo, '1q(DJF)', 1y ...
    #[arg(long, value_name = "EVERY", conflicts_with = "by")]
    pub resample: Option<String>,
    /// Which end of a bin belongs to it [default: left; for frequencies named by their last day, right]
    #[arg(long, value_name = "END", requires = "resample")]
    pub closed: Option<End>,
    /// Which end of a bin names it [default: as --closed]
    #[arg(long, value_name = "END", requires = "resample")]
    pub label: Option<End>,
    /// Where bins of a fixed length are counted from: start-day, start, epoch, end, end-day or a date
    #[arg(long, value_name = "WHERE", requires = "resample")]
    pub origin: Option<String>,
    /// Dimensions by name or position, as time or lat,lon or 0; or all
    #[arg(
        long,
        value_delimiter = ',',
        required_unless_present_any = ["by", "resample"],
        allow_hyphen_values = true
    )]
    pub axis: Vec<String>,
    /// Which parts are reduced.
    #[command(flatten)]
    pub input: InputArgs,
    /// Write to this file: .nc is NetCDF-4, .zarr is Zarr v3 [default: print]
    #[arg(short, long)]
    pub output: Option<PathBuf>,
    /// nc4, nc3, nc5, zarr3 or zarr2 for a file; json or csv to print all values
    #[arg(long)]
    pub format: Option<String>,
    /// Degrees of freedom taken off the number of values, for var and std
    #[arg(long, default_value_t = 0.0)]
    pub ddof: f64,
    /// One missing value makes the result missing
    #[arg(long)]
    pub keepna: bool,
    /// Results of fewer values than this are missing [default: 0; of a window its length]
    #[arg(long, value_name = "N")]
    pub min_count: Option<u64>,
    /// Reduced dimensions stay, with length 1
    #[arg(long)]
    pub keepdims: bool,
    /// Values outside valid_min, valid_max or valid_range are missing
    #[arg(long)]
    pub valid_range: bool,
    /// Which units results are in.
    #[command(flatten)]
    pub units: UnitsArgs,
    /// How results are stored.
    #[command(flatten)]
    pub layout: LayoutArgs,
    /// Keep what is written when the run ends early, and go on with it when it is given again
    #[arg(long)]
    pub resume: bool,
    /// Print the plan and what it will cost, without running it
    #[arg(long)]
    pub explain: bool,
}

/// Runs it, and prints to `out` what is to be printed.
///
/// # Errors
/// As [`Reduction::of`] and [`Session::write`].
pub fn run(args: &ReduceArgs, global: &Global, session: &Session, out: &mut dyn Write) -> Result<()> {
    let mut request = request(args)?;
    let destination = Destination::of(args.output.as_deref(), args.format.as_deref())?;
    let layout = args.layout.parse(destination.format())?;
    // What groups are made by is read too.
    let mut named = args.var.clone();
    if !named.is_empty() {
        named.extend(request.by.iter().map(|by| by.variable().to_string()));
        if let Some(Weights::Variable(path)) = &request.weights {
            named.push(path.clone());
        }
    }
    let dataset = args.input.open(&args.files, &named, global)?;
    if let Some(every) = &args.resample {
        request.by = vec![every_time(args, every, &dataset)?];
    }
    let mut computation = args.units.apply(request.of(&dataset)?.laid_out(&layout)?)?;
    history::append(&mut computation.schema.attrs);
    if args.explain {
        let text = layout::explain(&computation, &layout, session)?;
        return destination::print(out, |out| out.write_all(text.as_bytes()));
    }
    match destination {
        Destination::File(path, format) => {
            let request = format!("reduce {request:?} {layout:?}{}{}", args.input.request(), args.units.request());
            let resume = args.resume.then_some(request.as_str());
            destination::write(session, global, resume, &[dataset], &computation, &layout, (&path, format))
        }
        Destination::Screen(_) if args.resume => Err(destination::nothing_to_resume()),
        Destination::Screen(how) => {
            computation = layout::encoded(&computation, &layout, session)?;
            let results = session.collect(&dataset, &computation)?;
            destination::print(out, |out| destination::show(out, &computation, &results, how))
        }
    }
}

fn request(args: &ReduceArgs) -> Result<Reduction> {
    let ops = args.op.iter().map(|name| statistic(args, name.trim())).collect::<Result<Vec<Statistic>>>()?;
    if let Some(twice) = ops.iter().enumerate().find(|(k, op)| ops[..*k].contains(op)) {
        return Err(Error::usage(format!("--op names {} twice", twice.1.name())));
    }
    if !args.q.is_empty() && !ops.iter().any(|op| op.name() == "quantile") {
        return Err(Error::usage("--q is for the operation quantile; give --op quantile"));
    }
    let axes = match args.axis.as_slice() {
        [one] if one == "all" => Axes::All,
        many => Axes::Named(many.iter().map(|a| a.trim().to_string()).collect()),
    };
    if !args.ddof.is_finite() {
        return Err(Error::usage("--ddof is a number of values; give 0 or 1"));
    }
    // As xarray: a window that is not full is missing.
    let min_count = args.min_count.or(args.rolling).unwrap_or(0);
    let mut request = Reduction::new(ops, axes);
    request.variables = args.var.iter().map(|v| v.trim().to_string()).collect();
    request.options = FoldOptions { ddof: args.ddof, keep_missing: args.keepna, min_count };
    request.keep_dims = if args.keepdims { KeepDims::Yes } else { KeepDims::No };
    request.valid = if args.valid_range { ValidRange::Apply } else { ValidRange::Ignore };
    let anchor = if args.center { Anchor::Center } else { Anchor::Last };
    if let Some(by) = &args.by {
        request.by = By::list(by)?;
    }
    request.weights = args.weights.as_deref().map(Weights::from_name).transpose()?;
    request.rolling = args.rolling.map(|length| Rolling { length, anchor });
    Ok(request)
}

/// The bins of time that `--resample` says, along the one axis that has dates.
fn every_time(args: &ReduceArgs, every: &str, dataset: &Dataset) -> Result<By> {
    let reduced = match args.var.is_empty() {
        true => dataset.root().all_vars(),
        false => args.var.iter().map(|path| dataset.variable(path.trim())).collect::<Result<_>>()?,
    };
    let mut found: Vec<&VarMeta> = reduced.iter().flat_map(|v| dataset.times_of(v)).collect();
    found.sort_by_key(|c| (c.name(), &c.path));
    // Groups of a file may have times of one name, which are taken to be one where no variable is named.
    found.dedup_by(|a, b| a.path == b.path || args.var.is_empty() && a.name() == b.name());
    // Of several, the one that is named.
    if found.len() > 1 {
        found.retain(|time| args.axis.iter().any(|a| a.trim() == time.name()));
    }
    let [time] = found.as_slice() else {
        let what = match found.len() {
            0 => "no dimension has a coordinate of time, as 'days since 1990-01-01', or it is none of those named",
            _ => "several dimensions have a coordinate of time; name one with --axis, or a variable with --var",
        };
        return Err(Error::usage(format!("--resample {every}: {what}")).in_file(dataset.path()));
    };
    let side = |end: Option<End>| end.map(|end| if end == End::Left { Side::Left } else { Side::Right });
    let origin = |name: &String| {
        let calendar = Calendar::named(time.attrs.text("calendar")).map_err(|e| e.in_file(dataset.path()))?;
        Origin::named(name, calendar)
    };
    let origin = args.origin.as_ref().map(origin).transpose()?;
    let options = BinOptions { closed: side(args.closed), label: side(args.label), origin, offset: 0 };
    Ok(By::Every { coordinate: time.path.clone(), frequency: Frequency::parse(every)?, options })
}

/// An end of a bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum End {
    /// Its beginning
    Left,
    /// Its end
    Right,
}

/// The operation of that name, with what other arguments say about it.
fn statistic(args: &ReduceArgs, name: &str) -> Result<Statistic> {
    Ok(match name.to_ascii_lowercase().as_str() {
        "quantile" => {
            let at = match args.q.as_slice() {
                [] => return Err(Error::usage("which quantile? give --q 0.9")),
                [one] => Quantiles::new(*one)?,
                many => Quantiles::new(many)?,
            };
            OrderStatistic::Quantile { at, method: Method::from_name(&args.method)? }.into()
        }
        "median" => OrderStatistic::Median.into(),
        "mad" => OrderStatistic::Mad.into(),
        "iqr" => OrderStatistic::Iqr.into(),
        "nunique" => OrderStatistic::NUnique.into(),
        "mode" => OrderStatistic::Mode.into(),
        other => match Op::from_name(other) {
            Ok(op) => op.into(),
            Err(_) => {
                let known = closest(other, Op::ALL.into_iter().map(Op::name).chain(OrderStatistic::NAMES));
                return Err(Error::usage(format!("no operation '{other}'; there are {}", known.join(", "))));
            }
        },
    })
}

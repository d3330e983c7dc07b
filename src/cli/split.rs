//! `aosx split`: a file for each group of steps.

use super::{
    Global,
    destination::{self, Destination},
    history,
    input::InputArgs,
    layout::LayoutArgs,
};
use crate::{
    array::Groups,
    dataset::{
        By, Conversion, Grouping, Selection,
        grouping::{Key, Labels},
    },
    error::{Error, Result},
    session::Session,
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Write a file for each year, month, station ... of a file
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  aosx split in.nc --by time.year -o 't_{}.nc'\n  aosx split in.nc --by time.year,time.month -o 'months/t_{}_{}.nc'\n  aosx split in.zarr --by station -o 'station_{}.zarr' --var t"
)]
pub struct SplitArgs {
    /// NetCDF, HDF5 or Zarr files; several are joined along time. Patterns go in quotes: 'run*/t_*.nc'
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// What makes a file: as --by of reduce, along one dimension
    #[arg(long, value_name = "WHAT")]
    pub by: String,
    /// The files, with {} where the name of the group goes: 't_{}.nc'
    #[arg(short, long, value_name = "PATTERN")]
    pub output: String,
    /// nc4, nc3, nc5, zarr3 or zarr2 [default: by the outputs' name]
    #[arg(long)]
    pub format: Option<String>,
    /// Variables, as t,u or group/sub/t, which take their coordinates along [default: all]
    #[arg(long, value_delimiter = ',')]
    pub var: Vec<String>,
    /// Which parts are split.
    #[command(flatten)]
    pub input: InputArgs,
    /// How they are stored.
    #[command(flatten)]
    pub layout: LayoutArgs,
}

/// Runs it.
///
/// # Errors
/// As [`Grouping::of`], [`Conversion::of`] and [`Session::write`]; when the pattern names one file for several groups.
pub fn run(args: &SplitArgs, global: &Global, session: &Session) -> Result<()> {
    let by = By::list(&args.by)?;
    let dataset = args.input.open(&args.files, &[], global)?;
    let grouping = Grouping::of(&dataset, &by)?;
    let [dim] = grouping.dims.as_slice() else {
        let dims = grouping.dims.join(", ");
        return Err(Error::usage(format!("--by {}: files are split along one dimension, not {dims}", args.by)));
    };
    let Destination::File(_, format) = Destination::of(Some(Path::new(&args.output)), args.format.as_deref())? else {
        return Err(Error::usage("split writes files; give -o 't_{}.nc'"));
    };
    let layout = args.layout.parse(Some(format))?;
    let variables = args.var.iter().map(|v| v.trim().to_string()).collect();
    let request = Conversion { variables, layout, format };
    for (path, positions) in files(&args.output, &grouping)? {
        let part = dataset.select(&Selection::new().isel(dim, &positions))?;
        let mut computation = request.of(&part)?;
        history::append(&mut computation.schema.attrs);
        let inputs = std::slice::from_ref(&part);
        destination::write(session, global, None, inputs, &computation, &request.layout, (&path, format))?;
    }
    Ok(())
}

/// The file of each group that something is in, and its positions.
fn files(pattern: &str, grouping: &Grouping) -> Result<Vec<(PathBuf, String)>> {
    let places = pattern.matches("{}").count();
    if places != 1 && places != grouping.keys.len() {
        let more = if grouping.keys.len() > 1 { format!(", or {}", grouping.keys.len()) } else { String::new() };
        return Err(Error::usage(format!("-o {pattern}: it needs one {{}} for the group's name{more}")));
    }
    let mut positions: Vec<Vec<u64>> = vec![Vec::new(); grouping.groups.count() as usize];
    for (at, label) in grouping.groups.labels().iter().enumerate().filter(|(_, label)| **label != Groups::NONE) {
        positions[*label as usize].push(at as u64);
    }
    let mut groups: BTreeMap<PathBuf, usize> = BTreeMap::new();
    let mut files = Vec::new();
    for (group, positions) in positions.iter().enumerate().filter(|(_, positions)| !positions.is_empty()) {
        let path = file(pattern, places, group, &grouping.keys);
        if let Some(other) = groups.insert(path.clone(), group) {
            let [a, b] = [other, group].map(|group| grouping.called(group));
            return Err(Error::usage(format!("-o {pattern}: {} would hold {a} and {b} both", path.display())));
        }
        files.push((path, said(positions)));
    }
    Ok(files)
}

fn file(pattern: &str, places: usize, group: usize, keys: &[Key]) -> PathBuf {
    let mut rest = group;
    let mut names: Vec<String> = Vec::with_capacity(keys.len());
    for key in keys.iter().rev() {
        names.insert(0, name(key, rest % key.labels.len()));
        rest /= key.labels.len();
    }
    if places == 1 {
        return pattern.replace("{}", &names.join("-")).into();
    }
    names.iter().fold(pattern.to_string(), |text, name| text.replacen("{}", name, 1)).into()
}

/// What a group is called in the name of a file: numbers of one length, so that names sort as time does.
fn name(key: &Key, at: usize) -> String {
    let digits = match key.name.as_str() {
        "year" => 4,
        "dayofyear" => 3,
        "month" | "day" | "hour" | "minute" | "second" | "week" => 2,
        _ => 1,
    };
    match &key.labels {
        Labels::Integers(all) => format!("{:0digits$}", all[at]),
        Labels::Numbers(all) => all[at].to_string(),
        // No folders of a user's words.
        Labels::Texts(all) => all[at].replace(['/', '\0'], "_"),
    }
}

/// Positions as a selection says them: a range where they are one, which keeps the dimension.
fn said(positions: &[u64]) -> String {
    let (first, last) = (positions[0], positions[positions.len() - 1]);
    if last - first + 1 == positions.len() as u64 {
        return format!("{first}:{}", last + 1);
    }
    positions.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_said_as_ranges() {
        assert_eq!([said(&[3]), said(&[3, 4, 5]), said(&[1, 3])], ["3:4", "3:6", "1,3"]);
    }

    #[test]
    fn names_of_groups_sort_as_they_do() {
        let key = |name: &str, labels| Key { name: name.into(), labels, attrs: Default::default(), bounds: None };
        let keys = [key("year", Labels::Integers(vec![1999, 2000])), key("month", Labels::Integers(vec![1, 12]))];
        assert_eq!(file("t_{}.nc", 1, 3, &keys), PathBuf::from("t_2000-12.nc"));
        assert_eq!(file("{}/t_{}.nc", 2, 0, &keys), PathBuf::from("1999/t_01.nc"));
        let station = [key("station", Labels::Texts(vec!["a/b".into()]))];
        assert_eq!(file("{}.zarr", 1, 0, &station), PathBuf::from("a_b.zarr"));
    }

    #[test]
    fn no_two_groups_are_one_file() {
        let names = Labels::Texts(vec!["a/b".into(), "a_b".into(), "c".into()]);
        let of = |labels: Vec<u32>| Grouping {
            dims: vec!["station".into()],
            lengths: vec![labels.len() as u64],
            groups: Groups::new(labels, 3).unwrap(),
            keys: vec![Key { name: "name".into(), labels: names.clone(), attrs: Default::default(), bounds: None }],
            cells: None,
        };
        assert_eq!(files("x_{}.nc", &of(vec![0, 2, 0])).unwrap().len(), 2);
        let error = files("x_{}.nc", &of(vec![0, 1, 2])).unwrap_err().to_string();
        assert!(error.contains("x_a_b.nc would hold name=a/b and name=a_b both"), "{error}");
    }
}

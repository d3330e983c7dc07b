//! Where arrays meet whose labels are the same in another order: every answer is that of arrays in one order.

use assert_cmd::Command;
use std::path::Path;
use tempfile::TempDir;

fn run_in(dir: &Path, args: &[&str]) -> (Option<i32>, String) {
    let output = Command::cargo_bin("aosx").unwrap().args(args).current_dir(dir).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// What is said by a run that succeeds.
fn run(dir: &Path, args: &[&str]) -> String {
    let (code, err) = run_in(dir, args);
    assert_eq!(code, Some(0), "{args:?}: {err}");
    err
}

/// The files `a.nc`, `plain.nc` of the same places, and `turned.nc`, which is that from north to south, and from the 8th
/// column on, in degrees west.
fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let air = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/air.nc");
    std::fs::copy(air, dir.path().join("a.nc")).unwrap();
    let program = "air = air * 1.5 - 100; w = mean(air, time) - 200; region = astype(round(mean(air, time) / 10), int32); row = lat ** 2";
    run(dir.path(), &["calc", program, "a.nc", "--chunks", "time=30,lat=4,lon=5", "-o", "plain.nc"]);
    run(dir.path(), &["select", "plain.nc", "--isel", "lat=::-1", "--sel", "lon=-110:-60", "-o", "west.nc"]);
    let columns: Vec<String> = (8..21).chain(0..8).map(|k| k.to_string()).collect();
    run(dir.path(), &["select", "west.nc", "--isel", &format!("lon={}", columns.join(",")), "-o", "turned.nc"]);
    dir
}

const NOTES: [&str; 2] = [
    "aosx: note: 'lat' of turned.nc is read backwards, in the order of a.nc",
    "aosx: note: 'lon' of turned.nc is read from -110 on, in the order of a.nc",
];

#[test]
fn values_meet_by_their_labels() {
    let dir = folder();
    for (program, notes) in [
        ("d = a.air - b.air", 2),
        ("d = a.air[lat=2:7] - b.air[lat=B2:7]", 2),
        ("d = maximum(a.air, mean(b.air, time)); e = a.air > b.air", 2),
        ("d = 2 * a.air - (b.air - mean(b.air, time))", 2),
        ("d = where(b.air > 280, a.air, nan); e = where(a.air > 280, a.air, b.air)", 2),
        ("d = isclose(a.air, b.air); e = clip(a.air, mean(b.air, time), 300)", 2),
        ("d = corr(a.air, b.air, time); e = cov(a.air, b.w, lat); f = regress(a.air, b.air, time, lon)", 2),
        ("d = mean(a.air, lat, lon, weights=b.w); e = mean(a.air, lat, by=time.hour, weights=b.w)", 2),
        ("d = quantile(a.air, lat, lon, q=0.3, weights=b.w); e = median(a.air, lat, weights=b.row)", 2),
        ("d = mean(a.air, by=b.region); e = a.air - mean(a.air, by=b.region)", 2),
        ("d = mean(a.air, by=b.region); e = a.air * 0 + (b.air - d)", 2),
        ("d = anom(a.air, b.region)", 2),
        ("d = a.air - clim(b.air, time.hour)", 2),
        ("d = a.air[b.lat > 60]; e = mean(a.air[lat=1:8][b.lat > 60], lat)", 1),
        ("d = stack([a.air, b.air]); e = concat([a.air, b.air], time)", 2),
        ("d = einsum('tyx,tyx->yx', a.air, b.air); e = tensordot(a.air, b.air, [[lat, lon], [lat, lon]])", 2),
        ("d = sum(a.air - b.air, lat, lon)", 2),
    ] {
        let with = |file: &str, part: &str, out: &str| {
            let program = program.replace("B2:7", part);
            let (a, b) = ("a=a.nc".to_string(), format!("b={file}"));
            run(dir.path(), &["calc", &program, "--in", &a, "--in", &b, "-o", out])
        };
        assert_eq!(with("plain.nc", "2:7", "plain_d.nc"), "", "{program}");
        let said = with("turned.nc", "4:9", "turned_d.nc");
        // Sums go by the chunks of a file.
        let same = ["diff", "plain_d.nc", "turned_d.nc", "--values", "--rtol", "1e-12"];
        assert_eq!(said.lines().collect::<Vec<_>>(), NOTES[..notes], "{program}");
        assert_eq!(run_in(dir.path(), &same).0, Some(0), "{program}");
    }
    let quiet = ["--quiet", "calc", "d = a.air - turned.air", "a.nc", "turned.nc", "-o", "d.nc"];
    assert_eq!(run(dir.path(), &quiet), "");
}

/// What lies beside the second array comes along in the order of the first.
#[test]
fn what_describes_the_second_is_in_the_order_of_the_first() {
    let dir = folder();
    run(dir.path(), &["calc", "air = air * 1.5; row = lat * 2; air.coordinates = 'row'", "a.nc", "-o", "p.nc"]);
    run(dir.path(), &["select", "p.nc", "--isel", "lat=::-1", "-o", "q.nc"]);
    run(dir.path(), &["calc", "d = a.air - b.air", "--in", "a=a.nc", "--in", "b=p.nc", "-o", "plain_d.nc"]);
    run(dir.path(), &["calc", "d = a.air - b.air", "--in", "a=a.nc", "--in", "b=q.nc", "-o", "turned_d.nc"]);
    assert_eq!(run_in(dir.path(), &["diff", "plain_d.nc", "turned_d.nc", "--values"]).0, Some(0));
    let both = aosx::dataset::Dataset::open(dir.path().join("turned_d.nc")).unwrap();
    assert_eq!(both.numbers("row").unwrap()[..2], [150.0, 145.0]);
}

#[test]
fn files_are_merged_by_their_labels() {
    let dir = folder();
    for file in ["plain.nc", "turned.nc"] {
        run(dir.path(), &["calc", "w = w; region = region", file, "-o", &format!("w_{file}")]);
    }
    assert_eq!(run(dir.path(), &["merge", "a.nc", "w_plain.nc", "-o", "plain_m.nc"]), "");
    let said = run(dir.path(), &["merge", "a.nc", "w_turned.nc", "-o", "turned_m.nc"]);
    assert_eq!(said, NOTES.join("\n").replace("turned.nc", "w_turned.nc") + "\n");
    assert_eq!(run_in(dir.path(), &["diff", "plain_m.nc", "turned_m.nc", "--values"]).0, Some(0));
}

/// Other labels are no labels to meet by.
#[test]
fn other_labels_are_an_error() {
    let dir = folder();
    run(dir.path(), &["select", "plain.nc", "--isel", "lat=0:5", "-o", "north.nc"]);
    run(dir.path(), &["select", "plain.nc", "--isel", "lat=1:6", "-o", "south.nc"]);
    run(dir.path(), &["select", "plain.nc", "--isel", "lat=0,2,1,3,4", "-o", "mixed.nc"]);
    let with = |program: &str, file: &str| {
        let b = format!("b={file}");
        run_in(dir.path(), &["calc", program, "--in", "a=north.nc", "--in", &b, "-o", "d.nc"])
    };
    let wrong = "aosx: error: south.nc: 'lat' has 72.5 at position 0, where north.nc has 75, and values meet by their labels; \
                 take the same part of both with select, as --sel lat=FROM:TO\n";
    assert_eq!(with("d = a.air - b.air", "south.nc"), (Some(1), wrong.to_string()));
    for program in [
        "d = corr(a.air, b.air, time)",
        "d = where(b.air > 0, a.air, 0)",
        "d = mean(a.air, lat, weights=b.w)",
        "d = mean(a.air, by=b.region)",
        "d = a.air[b.lat > 70]",
    ] {
        let (code, err) = with(program, "south.nc");
        assert!(code == Some(1) && err.contains("meet by their labels"), "{program}: {err}");
    }
    let (code, err) = with("d = a.air - b.air", "mixed.nc");
    assert!(code == Some(1) && err.contains("has 70 at position 1, where north.nc has 72.5"), "{err}");
    // The parts of one file are whatever was taken, and what has no names has no labels.
    assert_eq!(run(dir.path(), &["calc", "d = air[lat=1:] - air[lat=:-1]; e = air - flip(air, lat)", "north.nc"]), "");
    assert_eq!(with("d = a.air - reshape(ravel(b.air), [124, 5, 21])", "south.nc"), (Some(0), String::new()));
}

/// Nothing is converted in silence.
#[test]
fn units_that_differ_are_told() {
    let dir = folder();
    run(dir.path(), &["calc", "air = convert_units(air, 'degC'); day = mean(air, time)", "a.nc", "-o", "c.nc"]);
    let said = |program: &str| run(dir.path(), &["calc", program, "a.nc", "c.nc", "-o", "d.nc"]);
    let note = |both: &str, second: &str| {
        format!(
            "aosx: note: {both} are in 'degK' and 'degC', and nothing is converted; write convert_units({second}, \"degK\")\n"
        )
    };
    let both = "'a.air' and 'c.air'";
    for program in ["d = a.air - c.air", "d = a.air + c.air", "d = a.air > c.air", "d = where(a.air > 0, a.air, c.air)"]
    {
        assert_eq!(said(program), note(both, "c.air"), "{program}");
    }
    assert_eq!(said("d = stack([a.air, c.air])"), note(both, "c.air"));
    assert_eq!(said("d = a.air - mean(c.air, time)"), note("'a.air' and 'mean(c.air, time)'", "mean(c.air, time)"));
    for program in [
        "d = a.air - convert_units(c.air, 'degK')",
        "d = a.air + (c.air - mean(c.air, time))",
        "d = a.air * c.air; e = a.air - 273.15; f = corr(a.air, c.air, time)",
    ] {
        assert_eq!(said(program), "", "{program}");
    }
    // A change is no temperature, whatever it is a change with.
    run(dir.path(), &["calc", "d = regress(air, standardize(air, time), time)", "a.nc", "-o", "d.nc"]);
    run(dir.path(), &["calc", "d = convert_units(d, 'degC') - d", "d.nc", "-o", "e.nc"]);
    let changed = aosx::dataset::Dataset::open(dir.path().join("e.nc")).unwrap().numbers("d").unwrap();
    assert!(changed.iter().all(|x| *x == 0.0), "{changed:?}");
}

/// Dates are often of other years, but for those that both have.
#[test]
fn dates_meet_by_position() {
    let dir = folder();
    run(dir.path(), &["select", "a.nc", "--isel", "time=0:20", "-o", "early.nc"]);
    run(dir.path(), &["select", "a.nc", "--isel", "time=20:40", "-o", "late.nc"]);
    run(dir.path(), &["select", "a.nc", "--isel", "time=1:21", "-o", "next.nc"]);
    run(dir.path(), &["select", "early.nc", "--isel", "time=::-1", "-o", "back.nc"]);
    let others = "d = late.air - early.air; a = late.air - clim(early.air, time.hour)";
    assert_eq!(run(dir.path(), &["calc", others, "late.nc", "early.nc", "-o", "d.nc"]), "");
    let shifted = ["calc", "d = early.air - next.air", "early.nc", "next.nc", "-o", "d.nc"];
    let note = "aosx: note: 'time' of next.nc begins 2014-10-01T06:00:00, and 2014-10-01T00:00:00 in early.nc; values meet by \
                position, and not by dates that both have\n";
    assert_eq!(run(dir.path(), &shifted), note);
    // A lag is one that is asked for.
    let lag = ["calc", "d = corr(early.air[time=1:], next.air[time=:-1], time)", "early.nc", "next.nc"];
    assert_eq!(run(dir.path(), &lag), "");
    let note = run(dir.path(), &["calc", "d = max(early.air - back.air)", "early.nc", "back.nc", "-o", "d.nc"]);
    assert_eq!(note, "aosx: note: 'time' of back.nc is read backwards, in the order of early.nc\n");
    assert_eq!(aosx::dataset::Dataset::open(dir.path().join("d.nc")).unwrap().numbers("d").unwrap(), [0.0]);
    // But days of other calendars are others.
    run(dir.path(), &["calc", "air = air; time = time; time.calendar = '360_day'", "early.nc", "-o", "model.nc"]);
    let note = run(dir.path(), &["calc", "d = early.air - model.air", "early.nc", "model.nc", "-o", "d.nc"]);
    assert!(note.contains("'time' of model.nc is of the calendar 360_day, and standard in early.nc"), "{note}");
}

//! Time of the CF conventions: calendars, units, parts of dates, partial dates, frequencies and bins.
//!
//! Everything here is a pure function over plain numbers. An [`Instant`] counts microseconds from the start of 1970 in
//! its own calendar, so it means nothing without a [`Calendar`], which every function that needs one takes.

mod bins;
mod calendar;
mod date;
mod float;
mod frequency;
mod part;
mod partial;
mod season;
mod text;
mod units;

pub use bins::{BinOptions, Bins, Origin, Side};
pub use calendar::Calendar;
pub use date::{Date, Instant};
pub use frequency::{Edge, Frequency, Step};
pub use part::Part;
pub use partial::{PartialDate, TimeRange};
pub use season::{Season, Seasons};
pub use units::{TimeUnits, Unit, is_time};

#[cfg(test)]
mod golden;
#[cfg(test)]
mod laws;

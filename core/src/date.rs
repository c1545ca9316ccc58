//! Dates as JavaScript writes them in JSON.

const DAY: i64 = 86_400_000;

/// The first and last moment that a JavaScript `Date` knows, in milliseconds before and after 1970.
const LIMIT: i64 = 100_000_000 * DAY;

/// That many milliseconds after 1970 began, as `Date.prototype.toISOString` writes it; `None` for no date.
pub(crate) fn to_iso(milliseconds: i64) -> Option<String> {
    if !(-LIMIT..=LIMIT).contains(&milliseconds) {
        return None;
    }
    let (year, month, day) = civil(milliseconds.div_euclid(DAY));
    let time = milliseconds.rem_euclid(DAY);
    let (hour, minute) = (time / 3_600_000, time / 60_000 % 60);
    let (second, milli) = (time / 1000 % 60, time % 1000);
    let year = match year {
        0..=9999 => format!("{year:04}"),
        _ => format!("{year:+07}"),
    };
    Some(format!(
        "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z"
    ))
}

/// Year, month and day of that many days after 1 January 1970, in the Gregorian calendar.
///
/// Years are counted from March, so that the day which some have more is their last; 400 of them are an era, and all
/// eras are as long.
fn civil(days: i64) -> (i64, i64, i64) {
    const ERA: i64 = 146_097;
    // From 1 March of the year 0.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / (ERA - 1);
    let year = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    // Five months have 153 days, wherever in the year they begin.
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12 + 1;
    (400 * era + year + i64::from(month <= 2), month, day)
}

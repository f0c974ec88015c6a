use super::*;
use jiff::civil::DateTime;
use proptest::prelude::*;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering::Relaxed};

const NOW: i64 = 1_718_454_896_000_000; // 2024-06-15 12:34:56

fn shown(micros: i64) -> String {
    let mut out = String::new();
    format_timestamp(micros, &mut out);
    out
}

fn length(micros: i64) -> String {
    let mut out = String::new();
    format_interval(micros, &mut out);
    out
}

#[test]
fn intervals_are_read_as_postgresql_reads_them() {
    const S: i64 = 1_000_000;
    for (text, micros) in [
        ("10m", 600 * S),
        ("1h30m", 5400 * S),
        ("250ms", 250_000),
        ("500us", 500),
        ("2 days", 172_800 * S),
        ("1 day 02:03:04.5", 93_784_500_000),
        ("-5 s", -5 * S),
        ("- 5 s", -5 * S),
        ("PT1H30M", 5400 * S),
        ("P1W2DT0.5S", 777_600 * S + 500_000),
        ("1.5 h", 5400 * S),
        (".5s", 500_000),
        ("0", 0),
        ("0s", 0),
        ("1 day ago", -86_400 * S),
        ("-1 day 2 h", -79_200 * S),
        ("-1 days -02:00:00", -93_600 * S),
        ("@ 3 Hours 4 MINUTES", 11_040 * S),
        ("01:02", 3720 * S),
        ("-00:05:00", -300 * S),
        ("02:03.5", 123_500_000),
        ("36:00:00", 129_600 * S),
        ("2w", 1_209_600 * S),
        ("0.0000004 s", 0),
        ("0.0000005 s", 1),
        ("  7\tsec ", 7 * S),
        ("3µs", 3),
    ] {
        assert_eq!(parse_interval(text), Ok(micros), "{text}");
    }
}

#[test]
fn intervals_that_are_none_are_refused_with_a_reason() {
    for (text, reason) in [
        ("", "empty"),
        ("10", "no unit"),
        ("1 month", "no fixed length"),
        ("2y", "no fixed length"),
        ("P1Y", "no fixed length"),
        ("P1M", "no fixed length"),
        ("5 parsecs", "not a unit"),
        ("5 ns", "microsecond"),
        ("s", "missing before `s`"),
        ("1:60:00", "more than 59"),
        ("1:2:3:4", "hh:mm"),
        ("1.5:02:03", "hh:mm"),
        ("10m!", "missing before `!`"),
        ("10!", "not expected"),
        ("P", "missing"),
        ("PT", "missing"),
        ("P5", "needs one of"),
        ("PT5é", "needs one of"),
        ("1 day ago x", "missing"),
        ("99999999999 weeks", "out of range"),
        ("99999999999999999999 s", "too large"),
        ("@", "no number"),
        ("--5s", "missing"),
    ] {
        let error = parse_interval(text).expect_err(text);
        assert!(error.contains(reason), "{text}: {error}");
    }
}

#[test]
fn intervals_are_printed_as_postgresql_prints_them() {
    for (micros, text) in [
        (0, "00:00:00"),
        (250_000, "00:00:00.25"),
        (-300_000_000, "-00:05:00"),
        (86_400_000_000, "1 day"),
        (178_200_000_000, "2 days 01:30:00"),
        (-93_600_000_000, "-1 days -02:00:00"),
        (1, "00:00:00.000001"),
    ] {
        assert_eq!(length(micros), text);
    }
}

#[test]
fn timestamps_are_read_in_all_their_forms() {
    const T: i64 = 1_704_164_645_000_000; // 2024-01-02 03:04:05
    for (text, micros) in [
        ("2024-01-02 03:04:05", T),
        ("2024-01-02T03:04:05", T),
        ("2024-01-02t03:04:05z", T),
        ("2024-01-02  03:04:05", T),
        ("2024-01-02T03:04:05Z", T),
        ("2024-01-02 03:04:05.678", T + 678_000),
        ("2024-01-02 03:04:05,678", T + 678_000),
        ("2024-01-02 03:04:05.6789996", T + 679_000),
        ("2024-01-02 03:04:05.6789994999", T + 678_999),
        ("2024-01-02 03:04:05.999999999", T + 1_000_000),
        ("2024-01-02 05:04:05+02", T),
        ("2024-01-02 05:04:05.5 +02:00", T + 500_000),
        ("2024-01-01 21:34:05-0530", T),
        ("2024-01-02 04:04:05 Europe/Berlin", T),
        ("2024-01-02T04:04:05+01:00[Europe/Berlin]", T),
        ("2024-01-02T03:04:05 UTC", T),
        ("2024-01-02 03:04", T - 5_000_000),
        ("2024-1-2 3:04:05", T),
        ("2024-01-02", T - 11_045_000_000),
        ("20240102", T - 11_045_000_000),
        ("20240102 03:04:05", T),
        (" 2024-01-02 ", T - 11_045_000_000),
        ("2024-01-02Z", T - 11_045_000_000),
        ("2024-01-01 24:00:00", T - 11_045_000_000),
        ("2016-12-31 23:59:60", 1_483_228_800_000_000),
        ("2024-02-29 00:00:00", 1_709_164_800_000_000),
        ("0001-01-01 00:00:00", MIN_TIMESTAMP),
        ("9999-12-31 23:59:59.999999", MAX_TIMESTAMP),
    ] {
        assert_eq!(parse_timestamp(text), Ok(micros), "{text}");
        let format = TimestampFormat::new("rfc3339", None, None).unwrap();
        assert_eq!(format.parse(text, NOW), Ok(micros), "{text}");
    }
}

#[test]
fn timestamps_that_are_none_are_refused() {
    for text in [
        "",
        "x",
        "2024",
        "2024-01",
        "2023-02-29",
        "2023-02-29 00:00:00",
        "2024-13-01 00:00:00",
        "2024-00-01",
        "2024-01-32",
        "0000-01-01 00:00:00",
        "0000-01-01",
        "10000-01-01",
        "2024-01-02 24:00:01",
        "2024-01-02 25:00:00",
        "2024-01-02 03:60:00",
        "2024-01-02 03:04:05.",
        "2024-01-02 03:04:05.x",
        "2024-01-02 03:04:05 Nowhere/Land",
        "2024-01-02 03:04:05 +",
        "2024-01-02 03:04:05+2:",
        "2024-01-02 03:04:05+02:99",
        "2024-01-02 03:04:05é",
        "2024-01-02x",
        "2024-01-021",
        "0001-01-01 00:00:00+01",
        "9999-12-31 23:59:59.9999996",
        "9999-12-31 23:59:59-01",
    ] {
        assert!(parse_timestamp(text).is_err(), "{text}: {:?}", parse_timestamp(text));
    }
}

#[test]
fn a_missing_offset_is_that_of_the_zone() {
    let berlin = TimestampFormat::new("rfc3339", Some("Europe/Berlin"), None).unwrap();
    for (local, utc) in [
        ("2024-01-02 03:04:05", "2024-01-02 02:04:05"),
        ("2024-07-02 03:04:05.5", "2024-07-02 01:04:05.5"),
        ("2024-07-02 03:04:05Z", "2024-07-02 03:04:05"),
        ("2024-07-02 03:04:05+00", "2024-07-02 03:04:05"),
        ("2024-03-31 02:30:00", "2024-03-31 01:30:00"), // skipped: moved forward
        ("2024-10-27 02:30:00", "2024-10-27 00:30:00"), // twice: the first
        ("2024-07-02", "2024-07-01 22:00:00"),
        ("2024-07-02 03:04:05 ", "2024-07-02 01:04:05"),
    ] {
        assert_eq!(berlin.parse(local, NOW).map(shown), Ok(utc.to_owned()), "{local}");
    }
    let fixed = TimestampFormat::new("rfc3339", Some("-03:30"), None).unwrap();
    assert_eq!(fixed.parse("2024-01-01 20:30:00", NOW).map(shown).unwrap(), "2024-01-02 00:00:00");
}

#[test]
fn epochs_are_exact() {
    for (unit, text, micros) in [
        ("epoch_s", "1700000000", Ok(1_700_000_000_000_000)),
        ("epoch_s", "1700000000.123456", Ok(1_700_000_000_123_456)),
        ("epoch_s", "-1.5", Ok(-1_500_000)),
        ("epoch_s", "1.7e9", Ok(1_700_000_000_000_000)),
        ("epoch_ms", "1700000000123", Ok(1_700_000_000_123_000)),
        ("epoch_ms", "1700000000123.4567", Ok(1_700_000_000_123_457)),
        ("epoch_us", "1700000000123456", Ok(1_700_000_000_123_456)),
        ("epoch_ns", "1700000000123456499", Ok(1_700_000_000_123_456)),
        ("epoch_ns", "1700000000123456500", Ok(1_700_000_000_123_457)),
        ("epoch_s", "99999999999999", Err(())),
        ("epoch_s", "", Err(())),
        ("epoch_s", ".", Err(())),
        ("epoch_s", "-", Err(())),
        ("epoch_s", "nan", Err(())),
        ("epoch_s", "12a", Err(())),
    ] {
        let format = TimestampFormat::new(unit, None, None).unwrap();
        assert_eq!(format.parse(text, NOW).map_err(|_| ()), micros, "{unit} {text}");
    }
    let ms = TimestampFormat::new("epoch_ms", None, None).unwrap();
    assert_eq!(ms.parse_number(1_700_000_000_123.5), Ok(1_700_000_000_123_500));
    for bad in [f64::NAN, f64::INFINITY, 1e30, -1e30] {
        assert!(ms.parse_number(bad).is_err());
    }
    assert!(TimestampFormat::new("rfc3339", None, None).unwrap().parse_number(1.0).is_err());
}

#[test]
fn patterns_are_read() {
    for (pattern, zone, year, text, utc) in [
        ("%d/%b/%Y:%H:%M:%S %z", None, None, "17/May/2015:10:05:03 +0200", "2015-05-17 08:05:03"),
        ("%Y-%m-%d %H:%M", Some("America/New_York"), None, "2024-07-01 08:00", "2024-07-01 12:00:00"),
        ("%b %e %H:%M:%S", None, Some(2017), "Dec  1 06:55:46", "2017-12-01 06:55:46"),
        ("%b %e %H:%M:%S", None, Some(2017), "Dec 10 06:55:46", "2017-12-10 06:55:46"),
        ("%b %e %H:%M:%S", None, None, "Jun 15 12:34:56", "2024-06-15 12:34:56"),
        ("%b %e %H:%M:%S", None, None, "Jun 15 12:34:59", "2024-06-15 12:34:59"),
        ("%b %e %H:%M:%S", None, None, "Jun 16 12:34:56", "2023-06-16 12:34:56"),
        ("%b %e %H:%M:%S", None, None, "Feb 29 00:00:00", "2024-02-29 00:00:00"),
        ("%a %b %e %H:%M:%S", None, None, "Mon Jun 16 00:00:00", "2014-06-16 00:00:00"),
        ("%m/%d/%y", None, None, "07/15/24", "2024-07-15 00:00:00"),
        ("%s.%3f", None, None, "1700000000.123", "2023-11-14 22:13:20.123"),
        ("%Y%m%d%H%M%S", None, None, "20240102030405", "2024-01-02 03:04:05"),
        ("%FT%T%.f%:z", None, None, "2024-01-02T03:04:05.25-01:00", "2024-01-02 04:04:05.25"),
        ("%d.%m.%Y %I:%M %p", None, None, "02.01.2024 03:04 PM", "2024-01-02 15:04:00"),
    ] {
        let format = TimestampFormat::new(pattern, zone, year).unwrap();
        assert_eq!(format.parse(text, NOW).map(shown), Ok(utc.to_owned()), "{pattern} {text}");
    }
}

#[test]
fn a_missing_year_turns_at_new_year() {
    let format = TimestampFormat::new("%b %e %H:%M:%S", None, None).unwrap();
    let new_year = parse_timestamp("2024-01-01 00:00:05").unwrap();
    assert_eq!(format.parse("Dec 31 23:59:59", new_year).map(shown).unwrap(), "2023-12-31 23:59:59");
    let old_year = parse_timestamp("2023-12-31 23:59:58").unwrap();
    assert_eq!(format.parse("Jan  1 00:00:01", old_year).map(shown).unwrap(), "2024-01-01 00:00:01");
    assert!(format.parse("Feb 30 00:00:00", new_year).is_err());
}

#[test]
fn formats_that_cannot_be_are_refused() {
    for (pattern, zone, year, reason) in [
        ("iso", None, None, "allowed are"),
        ("%H:%M:%S", None, None, "must say a day"),
        ("%Y-%m", None, None, "must say a day"),
        ("%Y-%m-%d %M", None, None, "the hour"),
        ("%Y-%m-%d %Z", None, None, "not a pattern"),
        ("%Y-%m-%d %", None, None, "not a pattern"),
        ("%E", None, None, "not a pattern"),
        ("rfc3339", Some("Mars/Base"), None, "not a time zone"),
        ("rfc3339", None, Some(2017), "without a year"),
        ("%Y-%m-%d", None, Some(2017), "has one"),
        ("%b %e", None, Some(0), "not in 1 to 9999"),
        ("epoch_s", Some("UTC"), None, "no zone"),
    ] {
        let error = TimestampFormat::new(pattern, zone, year).expect_err(pattern);
        assert!(error.contains(reason), "{pattern}: {error}");
    }
}

#[test]
fn times_beyond_the_calendar_are_still_printed() {
    assert_eq!(shown(MIN_TIMESTAMP - 1), "0001-12-31 23:59:59.999999 BC");
    assert_eq!(shown(MAX_TIMESTAMP + 1), "10000-01-01 00:00:00");
    let _ = (shown(i64::MIN), shown(i64::MAX), length(i64::MIN), length(i64::MAX));
}

#[test]
fn clocks_do_not_go_back() {
    let clock = SystemClock::new();
    let mut last = 0;
    for _ in 0..10_000 {
        let now = clock.nanos();
        assert!(now >= last);
        last = now;
    }
}

#[test]
fn times_of_arrival_count_on_and_follow_a_leap_of_the_wall_within_a_millisecond() {
    struct Wall(AtomicI64, AtomicU32);
    impl Clock for Wall {
        fn nanos(&self) -> u64 {
            unreachable!("the caller has read it")
        }
        fn wall_micros(&self) -> i64 {
            self.1.fetch_add(1, Relaxed);
            self.0.load(Relaxed)
        }
    }
    let clock = Wall(NOW.into(), 0.into());
    let mut arrivals = Arrivals::default();
    assert_eq!(arrivals.micros(&clock, 5_000_000), NOW);
    clock.0.store(NOW + 3_600_000_000, Relaxed);
    assert_eq!(arrivals.micros(&clock, 5_000_999), NOW);
    assert_eq!(arrivals.micros(&clock, 5_999_999), NOW + 999);
    assert_eq!(clock.1.load(Relaxed), 1, "asked once");
    assert_eq!(arrivals.micros(&clock, 6_000_000), NOW + 3_600_000_000);
    // A clock that has been set back.
    clock.0.store(NOW, Relaxed);
    assert_eq!(arrivals.micros(&clock, 4_000_000), NOW);
}

proptest! {
    #[test]
    fn any_timestamp_prints_and_parses_back(micros in MIN_TIMESTAMP..=MAX_TIMESTAMP) {
        prop_assert_eq!(parse_timestamp(&shown(micros)), Ok(micros));
        let with_t = shown(micros).replace(' ', "T") + "Z";
        prop_assert_eq!(parse_timestamp(&with_t), Ok(micros));
    }

    #[test]
    fn the_calendar_agrees_with_jiff(day in -719_162i64..=2_932_896) {
        let (year, month, dom) = civil::date(day);
        prop_assert_eq!(civil::days(year, month, dom), day);
        let theirs = DateTime::constant(1970, 1, 1, 0, 0, 0, 0).date()
            .checked_add(jiff::Span::new().days(day)).unwrap();
        prop_assert_eq!((year, month, dom), (theirs.year().into(), theirs.month() as u32, theirs.day() as u32));
        prop_assert_eq!(civil::weekday(day), theirs.weekday().to_sunday_zero_offset() as u32);
        prop_assert_eq!(civil::days_in_month(year, month), theirs.days_in_month() as u32);
        prop_assert_eq!(civil::is_leap(year), theirs.in_leap_year());
    }

    #[test]
    fn what_jiff_prints_we_read(
        micros in MIN_TIMESTAMP + civil::DAY..=MAX_TIMESTAMP - civil::DAY,
        minutes in -720i64..=720,
    ) {
        let instant = jiff::Timestamp::from_microsecond(micros).unwrap();
        prop_assert_eq!(parse_timestamp(&instant.to_string()), Ok(micros));
        let offset = jiff::tz::Offset::from_seconds((minutes * 60) as i32).unwrap();
        prop_assert_eq!(parse_timestamp(&instant.display_with_offset(offset).to_string()), Ok(micros));
    }

    #[test]
    fn any_text_gets_an_answer(text in "[-+0-9TZ:., a-zé]{0,32}") {
        let _ = parse_timestamp(&text);
        let _ = parse_interval(&text);
        for pattern in ["rfc3339", "epoch_ns", "%b %e %H:%M:%S", "%Y-%m-%d %Q"] {
            let _ = TimestampFormat::new(pattern, None, None).unwrap().parse(&text, NOW);
        }
        let _ = TimestampFormat::new(&text, None, None);
        let _ = TimestampFormat::new(&text.replace(['a', ' '], "%"), None, None);
    }

    #[test]
    fn any_interval_prints_and_parses_back(micros in any::<i64>()) {
        prop_assert_eq!(parse_interval(&length(micros)), Ok(micros));
    }
}

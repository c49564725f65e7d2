//! Each verdict holds for a series that is well, and fails for one that is not.

use super::*;

/// An hour of hubs that live two minutes each, a sample each ten seconds; the value is that of time and age, with some noise.
fn series(value: impl Fn(f64, f64) -> f64) -> Vec<Point> {
    let noise = |n: u32| f64::from(n.wrapping_mul(2_654_435_761) % 100) / 100.0 - 0.5;
    (0..360_u32)
        .map(|n| {
            let at_s = f64::from(n) * 10.0;
            let age_s = at_s % 120.0 + 1.0;
            Point { at_s, age_s, value: value(at_s, age_s) + noise(n) }
        })
        .collect()
}

/// A hub that lives half an hour.
fn one_hub(value: impl Fn(f64) -> f64) -> Vec<Point> {
    let long = (0..180).map(|n| f64::from(n) * 10.0 + 1.0);
    long.map(|age_s| Point { at_s: 1_000.0 + age_s, age_s, value: value(age_s) }).collect()
}

#[test]
fn memory_that_grows_as_a_hub_warms_up_is_flat_over_hubs() {
    let verdict = flat_over_hubs("memory", &series(|_, age_s| 60.0 + age_s / 10.0), MEMORY_SLACK_MIB);
    assert_eq!(verdict.holds, Some(true), "{verdict:?}");
}

#[test]
fn memory_that_is_more_with_every_hub_is_not_flat() {
    let verdict = flat_over_hubs("memory", &series(|at_s, age_s| 60.0 + age_s / 10.0 + at_s / 80.0), MEMORY_SLACK_MIB);
    assert_eq!(verdict.holds, Some(false), "{verdict:?}");
}

#[test]
fn descriptors_that_leak_slowly_are_not_flat_and_those_that_come_and_go_are() {
    let leak = flat_over_hubs("descriptors", &series(|at_s, _| 40.0 + at_s / 90.0), COUNT_SLACK);
    assert_eq!(leak.holds, Some(false), "{leak:?}");
    let busy = flat_over_hubs("descriptors", &series(|at_s, _| 40.0 + 6.0 * (at_s / 30.0).sin()), COUNT_SLACK);
    assert_eq!(busy.holds, Some(true), "{busy:?}");
}

#[test]
fn a_leak_within_one_hub_is_seen_although_every_hub_leaks_the_same() {
    // Each restart hides it: at the same age every hub holds the same.
    let hubs = series(|_, age_s| 60.0 + age_s / 20.0);
    assert_eq!(flat_over_hubs("memory", &hubs, MEMORY_SLACK_MIB).holds, Some(true));
    let leak = flat_in_one_hub("memory", &one_hub(|age_s| 60.0 + age_s / 60.0), MEMORY_SLACK_MIB);
    assert_eq!(leak.holds, Some(false), "{leak:?}");
    let warm = flat_in_one_hub("memory", &one_hub(|age_s| 60.0 + age_s.min(90.0) / 3.0), MEMORY_SLACK_MIB);
    assert_eq!(warm.holds, Some(true), "{warm:?}");
}

#[test]
fn a_p99_that_rises_is_not_steady_unless_the_disk_explains_it() {
    let level = |last: f64| series(move |at_s, _| if at_s > 2_400.0 { last } else { 10.0 });
    let verdict = |calls: f64, probe: f64| steady("p99", &level(calls), &level(probe));
    assert_eq!(verdict(11.0, 10.0).holds, Some(true));
    assert_eq!(verdict(20.0, 10.0).holds, Some(false), "{:?}", verdict(20.0, 10.0));
    assert_eq!(verdict(20.0, 18.0).holds, Some(true), "{:?}", verdict(20.0, 18.0));
    // A disk that became faster makes no steady time a risen one.
    assert_eq!(verdict(10.0, 4.0).holds, Some(true));
    assert_eq!(verdict(40.0, 18.0).holds, Some(false));
}

#[test]
fn a_run_that_is_too_short_is_not_judged() {
    let short: Vec<Point> = series(|_, _| 1.0).into_iter().take(6).collect();
    assert_eq!(flat_over_hubs("memory", &short, MEMORY_SLACK_MIB).holds, None);
    assert_eq!(flat_in_one_hub("memory", &short, MEMORY_SLACK_MIB).holds, None);
    assert_eq!(steady("p99", &short, &short).holds, None);
}

#[test]
fn the_slope_of_theil_and_sen_does_not_follow_a_few_samples_that_are_far_off() {
    let mut points: Vec<(f64, f64)> = (0..100).map(|n| (f64::from(n), f64::from(n) * 2.0)).collect();
    points[50].1 = 1e9;
    points[99].1 = -1e9;
    assert!((theil_sen(&points).unwrap() - 7_200.0).abs() < 1.0);
    assert_eq!(median([3.0, 1.0, 2.0, 10.0]), Some(2.5));
    assert_eq!(median([]), None);
}

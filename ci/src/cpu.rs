use std::fs;
use std::time::Duration;

/// The kernel counts in hundredths of a second in `/proc`, on every architecture that Fata knows.
const TICK: Duration = Duration::from_millis(10);

/// The processor time, user and system, that a process has used, to ten milliseconds.
///
/// # Panics
/// If there is no such process.
pub fn cpu_time(process: u32) -> Duration {
    let path = format!("/proc/{process}/stat");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    // proc(5): the name in parentheses may hold blanks; fields 14 and 15 count from 1.
    let after_name = text
        .rsplit_once(") ")
        .expect("the name is in parentheses")
        .1;
    let ticks: u32 = after_name
        .split(' ')
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u32>().expect("a number of ticks"))
        .sum();
    TICK * ticks
}

#[cfg(test)]
mod tests {
    use super::cpu_time;
    use std::hint::black_box;
    use std::time::Duration;

    #[test]
    fn work_takes_processor_time() {
        let process = std::process::id();
        let before = cpu_time(process);
        while cpu_time(process) < before + Duration::from_millis(30) {
            (0..100_000u64).for_each(|number| {
                black_box(number);
            });
        }
    }
}

//! Compares allocators by what `site` asked of its heap: instructions in a virtual machine, where
//! they repeat exactly, nanoseconds in a process, and memory.

use fata_ci::{Launch, Machine, Platform, target_folder};

/// Enough for the arena of the image.
const MEMORY: u32 = 256;
const ROUNDS: &str = "--rounds=9";

/// The program's report on one allocator.
struct Row {
    name: String,
    fresh: f64,
    fragmented: f64,
    least: f64,
    reached: f64,
    live: f64,
}

impl Row {
    /// The row in a line that the program has logged.
    fn parse(line: &str) -> Self {
        let (_, words) = line.split_once("allocators: ").expect("it was logged");
        let mut words = words.split_whitespace();
        let name = words.next().expect("a name comes first").to_owned();
        let mut number = || -> f64 {
            let word = words.next().expect("five numbers follow");
            word.parse().expect("they are numbers")
        };
        Self {
            name,
            fresh: number(),
            fragmented: number(),
            least: number(),
            reached: number(),
            live: number(),
        }
    }
}

/// The number of operations, the bytes that lived, and the rows.
fn run(launch: &Launch) -> (f64, f64, Vec<Row>) {
    let text = launch.start().wait_success();
    let mut lines = text.lines().filter(|line| line.contains("allocators: "));
    let first = lines.next().expect("it says what it replays");
    let mut numbers = first
        .split_whitespace()
        .filter_map(|word| word.parse::<f64>().ok());
    let operations = numbers.next().expect("it says how many operations");
    let live = numbers.next().expect("it says how many bytes");
    (operations, live, lines.map(Row::parse).collect())
}

fn main() {
    let machine = Launch::new("allocators", Platform::Machine(Machine::Microvm))
        .memory(MEMORY)
        .qemu_arguments(["-icount", "shift=0,sleep=off"]);
    let process = Launch::new("allocators", Platform::Process)
        .file(&target_folder().join("release/allocators"))
        .arguments([ROUNDS]);
    let (operations, live, counted) = run(&machine);
    let (_, _, timed) = run(&process);
    println!("site's trace: {operations} operations, at most {live} bytes live");
    println!("for an operation, on a new and on a fragmented heap, and times the first row's;");
    println!("arena by live bytes, for the trace and for the blocks that fragment");
    let (machine_first, process_first) = (&counted[0], &timed[0]);
    print_row(
        "",
        [
            "instructions",
            "fragmented",
            "nanoseconds",
            "fragmented",
            "arena",
            "of blocks",
        ],
    );
    for (machine, process) in counted.iter().zip(&timed) {
        let cost =
            |value: f64, first: f64| format!("{:.1} ({:.3})", value / operations, value / first);
        let cells = [
            cost(machine.fresh, machine_first.fresh),
            cost(machine.fragmented, machine_first.fragmented),
            cost(process.fresh, process_first.fresh),
            cost(process.fragmented, process_first.fragmented),
            format!("{:.3}", machine.least / live),
            format!("{:.3}", machine.reached / machine.live),
        ];
        print_row(&machine.name, cells.each_ref().map(String::as_str));
    }
}

fn print_row(name: &str, cells: [&str; 6]) {
    print!("{name:22}");
    cells.iter().for_each(|cell| print!(" {cell:>15}"));
    println!();
}

//! One transition of a process with so many threads, by Stepdown: prints how many nanoseconds passed, and how many all
//! threads together had of the processors; then it waits until its input ends.
//!
//!     stepdown-bench-threads proof|no-proof THREADS

use std::error::Error;
use std::io::Read;
use std::os::fd::AsFd;
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};
use stepdown::Security;
use stepdown_kernel::observe::Witness;
use stepdown_kernel::threads::{Around, LIMIT, take_all};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [proof, threads] = arguments.as_slice() else { return Err("proof|no-proof THREADS".into()) };
    let threads: usize = threads.parse()?;
    for _ in 1..threads {
        std::thread::Builder::new().stack_size(65536).spawn(|| {
            loop {
                std::thread::park();
            }
        })?;
    }
    let security = Security::builder("994")
        .group("994")
        .supplemental_groups(&[])
        .capabilities("cap_net_bind_service+ep")
        .build()?;
    let planned = security.plan()?;
    let witness = Witness::open()?;
    let around = Around {
        witness: &witness,
        root: None::<&std::fs::File>.map(AsFd::as_fd),
        own_descriptors: &[],
        leave_keyring: true,
        limit: LIMIT,
        prove: proof == "proof",
    };
    std::thread::sleep(std::time::Duration::from_millis(20));
    let before = (Instant::now(), processors());
    let taken = take_all(planned.plan(), &around).map_err(|refused| format!("{refused:?}"))?;
    let (time, work) = (before.0.elapsed(), processors() - before.1);
    assert_eq!(taken, threads);
    println!("{} {work}", time.as_nanos());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// The time that this process has had of the processors.
fn processors() -> i64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

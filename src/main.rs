//! The `sferic` command.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

unsafe extern "C" {
    /// Sets an option of the allocator unless the environment has.
    fn mi_option_set_default(option: libc::c_int, value: libc::c_long);
}

/// `mi_option_purge_delay` in the allocator's header: after how many milliseconds free memory goes back to the system.
const PURGE_DELAY: libc::c_int = 15;
/// Several epochs long, so that memory of one is there for the next.
const PURGE_DELAY_MS: libc::c_long = 10_000;

/// Free memory stays with the process for a while: what goes back makes all threads stand still for a moment, and an
/// executor that soon asks for as much again waits while the system clears it. It does go back in the end: tables that
/// have grown leave their old memory behind, 100 MB for four million keys.
fn keep_memory() {
    // SAFETY: it sets a number within the allocator that this program is linked with, and may be called at any time.
    unsafe { mi_option_set_default(PURGE_DELAY, PURGE_DELAY_MS) }
}

/// The system gives memory in small pages: a large one takes two milliseconds to be cleared, with tuples waiting
/// (measured: a stall in each epoch, and thirty in twenty million tuples without epochs; with small pages none, at the
/// same throughput without epochs and 6 % less with them).
fn small_pages() {
    #[cfg(target_os = "linux")]
    // SAFETY: it sets a flag of the process. Where the system does not know it, all is as before.
    unsafe {
        libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0);
    }
}

fn main() -> std::process::ExitCode {
    small_pages();
    keep_memory();
    sferic::cli::main(&sferic::registry())
}

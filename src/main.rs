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
/// executor that soon asks for as much again waits while the system clears it, a few milliseconds for a large page. It
/// does go back in the end: tables that have grown leave their old memory behind, 100 MB for four million keys.
fn keep_memory() {
    // SAFETY: it sets a number within the allocator that this program is linked with, and may be called at any time.
    unsafe { mi_option_set_default(PURGE_DELAY, PURGE_DELAY_MS) }
}

fn main() -> std::process::ExitCode {
    keep_memory();
    sferic::cli::main(&sferic::registry())
}

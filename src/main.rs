fn main() -> std::process::ExitCode {
    aosx::cli::main()
}

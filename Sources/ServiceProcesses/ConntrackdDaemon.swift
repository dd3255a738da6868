import KernelInterface

/// The conntrackd of one HA router as a daemon that can be started, adopted, restarted and stopped. It reads its configuration only once; a
/// restart costs the others nothing, since what they know is in their kernels.
public enum ConntrackdDaemon {
    /// The daemon's key: `conntrackd/<router>`.
    public static func key(router: String) -> String { "conntrackd/\(router)" }

    /// - Parameter masterAddress: The address that the master holds on the HA network, such as 169.254.0.5.
    public static func daemon(
        router: String, namespace: NamespaceName, paths: ConntrackdPaths, configuration: ConntrackdConfiguration, masterAddress: String
    ) -> DaemonConfiguration {
        DaemonConfiguration(
            key: key(router: router),
            namespace: namespace,
            command: [
                "sh", "-c", startScript, "conntrackd-start", paths.directory, paths.processID, paths.configuration, paths.log,
                masterAddress,
            ],
            processIDFile: paths.processID,
            mark: paths.configuration,
            files: [ConfigurationFile(path: paths.configuration, contents: configuration.rendered, onChange: .restart)],
            directory: paths.directory,
            stopTimeoutMilliseconds: stopTimeoutMilliseconds)
    }

    /// Run in the router's namespace of a master that has just taken over: conntrackd takes the connections that other masters made for its
    /// own, so that it can tell a member that returns without any. Reads the kernel's whole table: not in the first second of a takeover.
    public static func adoptCommand(paths: ConntrackdPaths) -> [String] { command("-R", paths) }

    /// Run in the router's namespace of a master that has become backup: conntrackd no longer takes any connection for its own. It would not
    /// learn of their end from the new master, and tell dead ones to the next member that asks.
    public static func disownCommand(paths: ConntrackdPaths) -> [String] { command("-f internal", paths) }

    /// Run in the router's namespace of the master: conntrackd tells the others all connections of its own.
    public static func publishCommand(paths: ConntrackdPaths) -> [String] { command("-B", paths) }

    /// Run in the router's namespace of a member that was cut off: conntrackd asks the others for their connections.
    public static func requestCommand(paths: ConntrackdPaths) -> [String] { command("-n", paths) }

    private static func command(_ option: String, _ paths: ConntrackdPaths) -> [String] {
        ["sh", "-c", "cd \"$1\" && exec conntrackd -C \"$2\" \(option)", "conntrackd", paths.directory, paths.configuration]
    }

    static let stopTimeoutMilliseconds = 2000

    /// Starts conntrackd and returns when it answers, or fails with the end of its log.
    ///
    /// 1. A killed conntrackd leaves its lock behind and would refuse to start.
    /// 2. It can write no process id, and detaches itself only by a fork that hides its own: so it stays in the foreground.
    /// 3. The kernel refuses to let the log grow over 2048 blocks of 512 octets (1 MiB); conntrackd, which inherits that SIGXFSZ is ignored,
    ///    goes on.
    /// 4. At its start it takes all connections of the kernel for its own. A master tells the others at once: they missed what happened
    ///    while it did not run. A backup disowns them: see ``disownCommand(paths:)``. Where the kernel has none, as in a new namespace, there is
    ///    nothing to tell or to disown.
    /// 5. It knows no scheduling but the real-time ones, and hundreds of those that start together would leave nothing for keepalived: it becomes
    ///    ordinary.
    /// 6. It answers after a few milliseconds. The waits grow, to 3 s in all: each is a process, and at the start of a host there are hundreds.
    static let startScript = """
        directory=$1 process=$2 configuration=$3 log=$4 master=$5
        cd "$directory" || exit 1
        if [ -e "$process" ] || [ -e lock ] || [ -e control ]; then rm -f "$process" lock control; fi
        if [ -e "$log" ]; then mv -f "$log" "$log.1"; fi
        trap '' XFSZ
        ulimit -f 2048
        setsid conntrackd -C "$configuration" </dev/null >"$log" 2>&1 &
        echo "$!" >"$process"
        for pause in 0.02 0.02 0.04 0.08 0.16 0.32 0.64 0.86 0.86; do
            sleep "$pause"
            if [ -S control ]; then
                chrt --all-tasks --other --pid 0 "$!"
                connections=
                { read -r connections </proc/sys/net/netfilter/nf_conntrack_count; } 2>/dev/null
                if [ "$connections" = 0 ]; then exit 0; fi
                if [ -n "$(ip -4 -oneline address show to "$master/32")" ]; then
                    conntrackd -C "$configuration" -B >/dev/null 2>&1
                else
                    conntrackd -C "$configuration" -f internal >/dev/null 2>&1
                fi
                exit 0
            fi
            if ! kill -0 "$!" 2>/dev/null; then break; fi
        done
        rm -f "$process"
        tail -n 5 "$log" >&2
        exit 1
        """
}

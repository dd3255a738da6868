import KernelInterface

/// The keepalived of one HA router as a daemon that can be started, reloaded, adopted and stopped.
public enum KeepalivedDaemon {
    /// The daemon's key: `keepalived/<router>`.
    public static func key(router: String) -> String { keyPrefix + router }

    /// The router of a key; nil for the keys of other daemons.
    public static func router(ofKey key: String) -> String? {
        key.hasPrefix(keyPrefix) ? String(key.dropFirst(keyPrefix.count)) : nil
    }

    private static let keyPrefix = "keepalived/"

    public static func daemon(
        router: String, namespace: NamespaceName, paths: KeepalivedPaths, configuration: KeepalivedConfiguration
    ) -> DaemonConfiguration {
        DaemonConfiguration(
            key: key(router: router),
            namespace: namespace,
            // Nothing in here depends on the router's ports: a change of the command would restart keepalived.
            command: ["sh", "-c", startScript, "keepalived-start", paths.log, paths.processID, paths.vrrpProcessID, paths.configuration],
            processIDFile: paths.processID,
            mark: paths.configuration,
            files: [
                ConfigurationFile(path: paths.configuration, contents: configuration.rendered, onChange: .signal(hangUpSignal))
            ],
            namedPipes: [paths.notifyPipe],
            directory: paths.directory,
            log: paths.log,
            check: ConfigurationCheck(path: paths.configuration, command: testCommand),
            stopSignal: terminateSignal,
            stopTimeoutMilliseconds: stopTimeoutMilliseconds)
    }

    /// Answers 0 when keepalived takes a configuration without a remark, and says on standard error what it does not take: that it leaves out, and does
    /// with the rest what it can. Not to syslog (`-G`). It costs 12 ms of processor time (2.2.7), a quarter of a start.
    static let testCommand = ["keepalived", "-t", "-G", "-f"]

    static let hangUpSignal: Int32 = 1
    static let terminateSignal: Int32 = 15

    /// On SIGTERM keepalived resigns and removes its addresses at once (3 ms), but its processes stay for 1 to 3 seconds.
    static let stopTimeoutMilliseconds = 5000

    /// Starts keepalived and returns when it runs, or fails with the end of its log.
    ///
    /// 1. A member whose keepalived was killed still has the master's addresses. Of these keepalived removes what its (newer)
    ///    configuration names, and no others; so they all go here. With a device's last address the kernel removes its IPv4 routes;
    ///    IPv6 routes go by their protocol number, 18 of keepalived. Where no device has an address, and no log is left of a run before,
    ///    there are none.
    /// 2. A process id file of a killed keepalived would make this one refuse to start while the killed one is a zombie.
    /// 3. keepalived can log to a file only as "console" and in the foreground. It then logs to syslog as well, and where nobody listens there, the
    ///    C library writes each line to the machine's console instead (LOG_CONS), which may be a serial line: 200 routers that took over at once
    ///    waited for it for half a minute. So no syslog (`-G`). The kernel refuses to let the file grow over
    ///    8192 blocks of 512 octets (4 MiB); keepalived, which inherits that SIGXFSZ is ignored, goes on. The log of the run
    ///    before is kept.
    /// 4. It says that it runs by its process id file, after about 15 ms. The waits grow, to 3 s in all: each is a process, and at the start of
    ///    a host there are hundreds.
    ///
    /// What the shell can do by itself starts no process: of a router that is new here, `ip`, keepalived and one `sleep` are all.
    static let startScript = """
        log=$1 parent=$2 child=$3 configuration=$4 flushed=
        addresses=$(ip -oneline address show)
        while read -r index device rest; do
            case $device in
            "$flushed") ;;
            qr-* | qg-*) ip address flush dev "$device" && flushed=$device ;;
            esac
        done <<END
        $addresses
        END
        if [ -n "$flushed" ] || [ -e "$log" ]; then ip -6 route flush proto 18 2>/dev/null; fi
        if [ -e "$parent" ] || [ -e "$child" ]; then rm -f "$parent" "$child"; fi
        if [ -e "$log" ]; then mv -f "$log" "$log.1"; fi
        trap '' XFSZ
        ulimit -f 8192
        setsid keepalived -n -l -G -P -f "$configuration" -p "$parent" -r "$child" </dev/null >"$log" 2>&1 &
        for pause in 0.03 0.03 0.06 0.12 0.24 0.48 0.96 1.08; do
            sleep "$pause"
            running=
            { read -r running <"$parent"; } 2>/dev/null
            if [ "$running" = "$!" ]; then exit 0; fi
            if ! kill -0 "$!" 2>/dev/null; then break; fi
        done
        tail -n 5 "$log" >&2
        exit 1
        """
}

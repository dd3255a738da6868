import Addressing

/// Everything that one namespace shall hold of ours.
public struct NamespaceConfiguration: Hashable, Sendable {
    /// By name. Links of ours that are not here are removed; foreign links are left.
    public var links: [String: Link] = [:]
    /// Addresses of the links that ``managesAddresses`` names.
    public var addresses: Set<LinkAddress> = []
    /// Links whose addresses (and routes) the agent owns. On an HA router's qr- and qg- devices keepalived owns them.
    public var managesAddresses: Set<String> = []
    public var routes: Set<Route> = []
    /// Only in the namespaces of routers.
    public var rules: Set<RoutingRule> = []
    public var forwarding: Set<ForwardingEntry> = []
    public var neighbours: Set<Neighbour> = []
    /// At most one table per family and name; tables of ours that are not here are removed. Ours are named `neutrino…`.
    public var firewall: [FirewallTable] = []
    /// Path below /proc/sys (`net/ipv4/ip_forward`) → value. Only ever set inside the namespace.
    public var sysctls: [String: String] = [:]

    public init() {}
}

/// What a change of a daemon's files asks for.
public enum ReloadAction: Hashable, Sendable {
    case signal(Int32)
    case restart
    /// The daemon reads the file when it needs it.
    case none
}

/// A file that a daemon reads.
public struct ConfigurationFile: Hashable, Sendable {
    /// Absolute.
    public var path: String
    public var contents: String
    public var onChange: ReloadAction
    /// The daemon goes on with the file by itself: it is written before a start only, and only where there is none.
    public var isInitial: Bool

    public init(path: String, contents: String, onChange: ReloadAction, isInitial: Bool = false) {
        self.path = path
        self.contents = contents
        self.onChange = onChange
        self.isInitial = isInitial
    }
}

/// A program that says whether a daemon would take one of its files, before the daemon is told to read it.
public struct ConfigurationCheck: Hashable, Sendable {
    /// The path of the file, one of the daemon's.
    public var path: String
    /// The program and its arguments; the path of a copy is added at their end. An exit code other than 0 refuses, and standard error says why.
    public var command: [String]

    public init(path: String, command: [String]) {
        self.path = path
        self.command = command
    }
}

/// A file that a daemon appends to (O_APPEND) for as long as it runs. Once it is larger than the limit, what is in it is moved to a file beside it.
public struct GrowingLog: Hashable, Sendable {
    /// Absolute.
    public var path: String
    public var limitBytes: Int

    /// Where what was written before is kept: one file, the one before it goes.
    public var formerPath: String { path + ".1" }

    public init(path: String, limitBytes: Int) {
        self.path = path
        self.limitBytes = limitBytes
    }
}

/// A daemon that shall run. It is adopted, not restarted, when the agent restarts: the process in `processIDFile` is ours if its command
/// line holds `mark`, it runs the daemon's program, and not in the host's own network unless the daemon does.
public struct DaemonConfiguration: Hashable, Sendable {
    /// Unique on the host: `dnsmasq/<network>`, `keepalived/<router>`.
    public var key: String
    public var namespace: NamespaceName?
    /// The program's name on PATH and its arguments; a change of these restarts the daemon. A script is `sh -c SCRIPT NAME-start …`, where NAME is
    /// the daemon's program.
    public var command: [String]
    /// The daemon detaches itself and writes its process id here.
    public var processIDFile: String
    /// A text that only this daemon's command line holds: usually the path of its configuration.
    public var mark: String
    public var files: [ConfigurationFile]
    /// Named pipes that must exist before the daemon starts.
    public var namedPipes: [String]
    /// A directory that only this daemon's files are in, its own (leases, logs) included; it goes when the daemon is no longer wanted.
    public var directory: String?
    /// Where it says why it ends, if it writes that into a file.
    public var log: String?
    /// What it writes into for as long as it runs, which is kept small.
    public var growingLog: GrowingLog?
    /// What a change of its files must pass: without it the daemon keeps the files that it has.
    public var check: ConfigurationCheck?
    /// The signal that ends it, and how long it may take before SIGKILL.
    public var stopSignal: Int32
    public var stopTimeoutMilliseconds: Int

    public init(
        key: String, namespace: NamespaceName?, command: [String], processIDFile: String, mark: String, files: [ConfigurationFile] = [],
        namedPipes: [String] = [], directory: String? = nil, log: String? = nil, growingLog: GrowingLog? = nil,
        check: ConfigurationCheck? = nil, stopSignal: Int32 = 15,
        stopTimeoutMilliseconds: Int = 2000
    ) {
        self.key = key
        self.namespace = namespace
        self.command = command
        self.processIDFile = processIDFile
        self.mark = mark
        self.files = files
        self.namedPipes = namedPipes
        self.directory = directory
        self.log = log
        self.growingLog = growingLog
        self.check = check
        self.stopSignal = stopSignal
        self.stopTimeoutMilliseconds = stopTimeoutMilliseconds
    }
}

/// Everything that one host shall hold of ours: the product of the converters, the goal of the drivers.
public struct HostConfiguration: Hashable, Sendable {
    /// The host's own namespace.
    public var own = NamespaceConfiguration()
    /// Namespaces of ours, by name. Namespaces with our prefixes (`qrouter-`, `qdhcp-`) that are not here are removed.
    public var namespaces: [NamespaceName: NamespaceConfiguration] = [:]
    /// By key.
    public var daemons: [String: DaemonConfiguration] = [:]

    public init() {}
}

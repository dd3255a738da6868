import APISchema
import Glibc
import KernelInterface
import KernelLinux
import Synchronization

/// A cloud network on one machine: hosts and instances are namespaces, everything else is real.
///
/// Nothing of it touches the machine's own interfaces, addresses or routes. All of its processes carry its name in their environment and
/// its namespaces live only as long as they, so ending the processes ends the lab, whatever happened to the process that made it.
public final class Lab: Sendable {
    public struct Configuration: Sendable {
        public var name: String
        public var hosts: Int
        /// An empty or new directory; nil: `/run/neutrino-labs/NAME`.
        public var stateDirectory: String?
        /// The neutrino executable; nil: this one, or the one beside it.
        public var executable: String?
        /// Where the API shall listen on 127.0.0.1; nil: any free port.
        public var apiPort: Int?
        /// Without services a lab is only the places and the wires between them.
        public var startsServices = true
        /// Whether the server authenticates its callers, or takes everybody for an administrator.
        public var authenticates = true
        public var serverArguments: [String] = []
        public var agentArguments: [String] = []

        public init(name: String = "lab", hosts: Int = 3) {
            self.name = name
            self.hosts = hosts
        }
    }

    static let serverReadyTimeoutMilliseconds = 30_000
    static let serverStartAttempts = 3

    public let name: String
    let directory: LabDirectory
    private let known: Mutex<LabState>
    /// The administrator's.
    private let session: APISession

    private init(directory: LabDirectory, state: LabState) {
        name = state.name
        self.directory = directory
        known = Mutex(state)
        session = APISession { try Lab.administratorLogin(directory, try directory.load()) }
    }

    // MARK: Up and down

    /// Starts a lab. What was started is ended again when something fails.
    public static func up(_ configuration: Configuration = Configuration()) async throws -> Lab {
        try checkRequirements(configuration)
        let executable = try configuration.executable ?? findExecutable(isNeeded: configuration.startsServices)
        let directory = try LabDirectory.make(name: configuration.name, path: configuration.stateDirectory)
        do {
            var state = LabState(name: configuration.name, executable: executable)
            state.hasServices = configuration.startsServices
            state.authenticates = configuration.authenticates
            try directory.save(state)
            let lab = Lab(directory: directory, state: state)
            try await BackgroundThread.run { try lab.buildPlaces(hosts: configuration.hosts) }
            if configuration.startsServices {
                try await lab.startServer(port: configuration.apiPort, arguments: configuration.serverArguments)
                for host in lab.hosts { try await host.startAgent(arguments: configuration.agentArguments) }
            }
            return lab
        } catch {
            let failure = error
            try? await down(name: configuration.name)
            throw failure
        }
    }

    /// A lab that runs already.
    public static func open(name: String = "lab") throws -> Lab {
        try checkRoot()
        let directory = try LabDirectory.find(name: name)
        return Lab(directory: directory, state: try directory.load())
    }

    /// The names of all labs, those included of which only processes or only files are left.
    public static func names() -> [String] {
        let fromProcesses = LabProcess.all(ofLab: nil).compactMap { $0.environment(LabProcess.mark) }
        return Set(LabDirectory.names() + fromProcesses).sorted()
    }

    /// Ends a lab: its processes, with them its namespaces, and its files. Fine when there is nothing of it.
    public static func down(name: String) async throws {
        try checkRoot()
        try await BackgroundThread.run {
            // Again for what was just being started.
            for _ in 0..<serverStartAttempts {
                let processes = LabProcess.all(ofLab: name)
                if processes.isEmpty { break }
                guard LabProcess.end(processes) else { throw LabError("Processes of lab \(name) do not end: see 'ps -ef'.") }
            }
            LabDirectory.remove(name: name)
        }
    }

    public func down() async throws { try await Self.down(name: name) }

    private static func checkRoot() throws(LabError) {
        guard geteuid() == 0 else { throw LabError("A lab makes network namespaces, which takes root: run this as root (sudo).") }
    }

    private static func checkRequirements(_ configuration: Configuration) throws(LabError) {
        try checkRoot()
        guard isGoodName(configuration.name) else {
            throw LabError("'\(configuration.name)' is no name for a lab: use 1 to 30 lower-case letters, digits and dashes.")
        }
        guard (1...Underlay.hostLimit).contains(configuration.hosts) else {
            throw LabError("A lab has 1 to \(Underlay.hostLimit) hosts, not \(configuration.hosts).")
        }
        let programs = ["ip": "iproute2", "unshare": "util-linux", "nsenter": "util-linux", "busybox": "busybox", "nft": "nftables"]
        for (program, package) in programs.sorted(by: { $0.key < $1.key }) where KernelRequirements.path(ofProgram: program) == nil {
            throw LabError("The program \(program) is missing: 'apt-get install \(package)' (or 'make setup') installs it.")
        }
    }

    static func isGoodName(_ name: String) -> Bool {
        (1...30).contains(name.utf8.count) && !name.hasPrefix("-")
            && name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
    }

    /// This executable if it is neutrino, else the one in the same directory (tests run from there).
    private static func findExecutable(isNeeded: Bool) throws(LabError) -> String {
        let own = Files.resolve("/proc/self/exe") ?? ""
        let candidate = own.hasSuffix("/neutrino") ? own : own.prefix(through: own.lastIndex(of: "/") ?? own.startIndex) + "neutrino"
        guard access(candidate, X_OK) == 0 || !isNeeded else {
            throw LabError("There is no neutrino executable at \(candidate): build it with 'swift build --product neutrino'.")
        }
        return candidate
    }

    private func buildPlaces(hosts count: Int) throws {
        let hosts = (1...count).map { "h\($0)" }
        let starts = try (["fabric", "outside"] + hosts).map { place in
            try Place.start(place, role: hosts.contains(place) ? "host" : place, lab: name, state: directory.path)
        }
        let places = try starts.map { try Place.finish($0) }
        try directory.update { state in
            state.hosts = hosts
            for place in places { state.places[place.name] = place.processID }
        }
        try reload()
        for host in hosts { try Files.makeDirectory("\(directory.path)/\(host)") }
        try Underlay.build(fabric: places[0], outside: places[1], hosts: Array(places[2...]))
    }

    // MARK: What there is

    var state: LabState { known.withLock { $0 } }
    public var stateDirectory: String { directory.path }

    func reload() throws(LabError) {
        let fresh = try directory.load()
        known.withLock { $0 = fresh }
    }

    func change(_ body: (inout LabState) throws(LabError) -> Void) throws(LabError) {
        try directory.update(body)
        try reload()
    }

    /// The API, as the lab's administrator.
    public var api: APIClient { APIClient(endpoint: endpoint, session: state.authenticates ? session : nil) }

    /// The project that the lab's administrator works in.
    public func projectID() async throws -> String {
        // The project of callers that name none.
        state.authenticates ? try await session.token().projectID : "default"
    }

    /// A token of the lab's administrator; nil when nobody is authenticated.
    func token() async throws -> String? { state.authenticates ? try await session.token().text : nil }

    /// The server's first start leaves the administrator's password beside its database.
    static func administratorLogin(_ directory: LabDirectory, _ state: LabState) throws(LabError) -> APISession.Login {
        let path = Services.passwordFile(state: directory.path)
        guard let contents = Files.read(path) else { throw Files.failure("read \(path)") }
        let password = String(decoding: contents.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        return APISession.Login(
            authURL: "http://127.0.0.1:\(state.apiPort ?? 0)/identity/v3", userName: "admin", password: password, projectName: "admin")
    }

    /// Where the API listens on this machine.
    public var endpoint: String { "http://127.0.0.1:\(state.apiPort ?? 0)" }

    public var hosts: [LabHost] { state.hosts.enumerated().map { LabHost(lab: self, name: $1, number: $0 + 1) } }

    public func host(_ name: String) throws(LabError) -> LabHost {
        guard let host = hosts.first(where: { $0.name == name }) else {
            throw LabError("There is no host \(name): the hosts are \(state.hosts.joined(separator: ", ")).")
        }
        return host
    }

    /// The host outside of the cloud, on the physical network.
    public var outside: Place { place(ofRole: "outside") }

    var fabric: Place { place(ofRole: "fabric") }

    func place(ofRole role: String) -> Place { Place(name: role, processID: state.places[role] ?? 0) }

    public var instances: [Instance] { state.instances.sorted { $0.key < $1.key }.map { Instance(name: $0.key, record: $0.value) } }

    public func instance(_ name: String) throws(LabError) -> Instance {
        if state.instances[name] == nil { try reload() }
        guard let record = state.instances[name] else {
            let names = instances.map(\.name).joined(separator: ", ")
            throw LabError("There is no instance \(name) (\(names.isEmpty ? "there is none at all" : "there are: \(names)")).")
        }
        return Instance(name: name, record: record)
    }

    /// An instance, a host, or `outside`, by its name.
    public func place(_ name: String) throws(LabError) -> Place {
        if name == "outside" || name == "fabric" || state.hosts.contains(name) { return place(ofRole: name) }
        do throws(LabError) { return try instance(name).place } catch {
            throw LabError(
                "There is no instance or host named \(name): 'neutrino lab status' lists them, and 'outside' is the outside host.")
        }
    }

    public func logPath(_ name: String) -> String {
        state.hosts.contains(name) ? "\(directory.path)/\(name)/agent.log" : "\(directory.path)/\(name).log"
    }
}

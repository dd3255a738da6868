import KernelInterface
import Synchronization

/// Sums up the time that calls of a name took.
final class Stopwatch: Sendable {
    private let sums = Mutex<[String: (count: Int, seconds: Double)]>([:])

    func time<Value>(_ name: String, _ body: () throws(KernelError) -> Value) throws(KernelError) -> Value {
        let start = now()
        defer {
            let seconds = now() - start
            sums.withLock { sums in
                sums[name, default: (0, 0)].count += 1
                sums[name, default: (0, 0)].seconds += seconds
            }
        }
        return try body()
    }

    /// The calls that took longest together, and forgets all.
    func lap() -> String {
        let all = sums.withLock { sums in
            defer { sums = [:] }
            return sums
        }
        let longest = all.sorted { $0.value.seconds > $1.value.seconds }.prefix(8)
        return longest.map { "\($0.value.count) \($0.key) \(milliseconds($0.value.seconds))" }.joined(separator: ", ")
    }
}

/// A kernel whose calls are timed.
final class TimedKernel: NetworkKernel {
    private let kernel: any NetworkKernel
    private let watch: Stopwatch

    init(_ kernel: any NetworkKernel, _ watch: Stopwatch) {
        self.kernel = kernel
        self.watch = watch
    }

    func namespaces() throws(KernelError) -> Set<NamespaceName> {
        try watch.time("namespaces") { () throws(KernelError) in try kernel.namespaces() }
    }
    func links(in namespace: NamespaceName?) throws(KernelError) -> [Link] {
        try watch.time("links") { () throws(KernelError) in try kernel.links(in: namespace) }
    }
    func addresses(in namespace: NamespaceName?) throws(KernelError) -> Set<LinkAddress> {
        try watch.time("addresses") { () throws(KernelError) in try kernel.addresses(in: namespace) }
    }
    func routes(in namespace: NamespaceName?) throws(KernelError) -> Set<Route> {
        try watch.time("routes") { () throws(KernelError) in try kernel.routes(in: namespace) }
    }
    func rules(in namespace: NamespaceName?) throws(KernelError) -> Set<RoutingRule> {
        try watch.time("rules") { () throws(KernelError) in try kernel.rules(in: namespace) }
    }
    func forwardingEntries(in namespace: NamespaceName?) throws(KernelError) -> Set<ForwardingEntry> {
        try watch.time("forwardingEntries") { () throws(KernelError) in try kernel.forwardingEntries(in: namespace) }
    }
    func neighbours(in namespace: NamespaceName?) throws(KernelError) -> Set<Neighbour> {
        try watch.time("neighbours") { () throws(KernelError) in try kernel.neighbours(in: namespace) }
    }
    func sysctl(_ path: String, in namespace: NamespaceName?) throws(KernelError) -> String {
        try watch.time("sysctl") { () throws(KernelError) in try kernel.sysctl(path, in: namespace) }
    }
    func sysctls(_ paths: [String], in namespace: NamespaceName?) throws(KernelError) -> [String: String] {
        try watch.time("sysctls") { () throws(KernelError) in try kernel.sysctls(paths, in: namespace) }
    }
    func firewallTables(in namespace: NamespaceName?) throws(KernelError) -> Set<String> {
        try watch.time("firewallTables") { () throws(KernelError) in try kernel.firewallTables(in: namespace) }
    }
    func firewallContents(in namespace: NamespaceName?) throws(KernelError) -> [String: FirewallContents] {
        try watch.time("firewallContents") { () throws(KernelError) in try kernel.firewallContents(in: namespace) }
    }
    func firewallGeneration(in namespace: NamespaceName?) throws(KernelError) -> UInt32 {
        try watch.time("firewallGeneration") { () throws(KernelError) in try kernel.firewallGeneration(in: namespace) }
    }

    func perform(_ operation: KernelOperation) throws(KernelError) {
        let name = String("\(operation)".prefix { $0 != "(" })
        try watch.time(name) { () throws(KernelError) in try kernel.perform(operation) }
    }
}

/// A host of processes whose calls are timed.
final class TimedProcesses: ProcessHost {
    private let host: any ProcessHost
    private let watch: Stopwatch

    init(_ host: any ProcessHost, _ watch: Stopwatch) {
        self.host = host
        self.watch = watch
    }

    func start(_ command: [String], in namespace: NamespaceName?, timeoutMilliseconds: Int) throws(KernelError) {
        try watch.time("start") { () throws(KernelError) in
            try host.start(command, in: namespace, timeoutMilliseconds: timeoutMilliseconds)
        }
    }
    func process(id: Int32) -> ProcessStatus? { host.process(id: id) }
    func processes(marked mark: String) -> [ProcessStatus] {
        (try? watch.time("processes marked") { () throws(KernelError) in host.processes(marked: mark) }) ?? []
    }
    func signal(_ signal: Int32, process id: Int32) throws(KernelError) { try host.signal(signal, process: id) }
    func waitForExit(process id: Int32, timeoutMilliseconds: Int) -> Bool {
        (try? watch.time("wait for exit") { () throws(KernelError) in
            host.waitForExit(process: id, timeoutMilliseconds: timeoutMilliseconds)
        }) ?? false
    }
    func readFile(_ path: String) throws(KernelError) -> String? {
        try watch.time("read file") { () throws(KernelError) in try host.readFile(path) }
    }
    func writeFile(_ path: String, _ contents: String) throws(KernelError) {
        try watch.time("write file") { () throws(KernelError) in try host.writeFile(path, contents) }
    }
    func limit(_ log: GrowingLog) throws(KernelError) { try host.limit(log) }
    func makeNamedPipe(_ path: String) throws(KernelError) { try host.makeNamedPipe(path) }
    func removeFile(_ path: String) throws(KernelError) { try host.removeFile(path) }
    func listDirectory(_ path: String) throws(KernelError) -> [String] { try host.listDirectory(path) }
}

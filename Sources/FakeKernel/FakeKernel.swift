import Addressing
import Glibc
import KernelInterface
import Synchronization

/// A simulated host: a kernel with namespaces, links, addresses, routes, forwarding entries, neighbours, sysctls and nftables, and
/// processes and files. It refuses what the kernel refuses with the kernel's errors, fails on demand, counts, and renders itself as text.
public final class FakeKernel: NetworkKernel, ProcessHost {
    /// What a program does when it is started.
    public enum StartBehaviour: Sendable {
        case runs
        /// Detaches itself, and has not written its process id yet.
        case runsWithoutProcessID
        /// Detaches itself and ends.
        case endsAtOnce
        /// Prints a message and exits with a failure.
        case fails(String)
    }

    private struct Injection {
        var matches: @Sendable (KernelOperation) -> Bool
        /// Nil: for ever.
        var remaining: Int?
        var code: Int32
    }

    private struct Intrusion {
        var matches: @Sendable (KernelOperation) -> Bool
        var operation: KernelOperation
    }

    private struct State {
        var host = FakeHost()
        var processes = FakeProcesses()
        var injections: [Injection] = []
        var intrusions: [Intrusion] = []
        var unreadable: [NamespaceName?: Int32] = [:]
        var performed: [KernelOperation] = []
        var reads: [String] = []
        var signals: [FakeSignal] = []
        var behaviour: @Sendable ([String]) -> StartBehaviour = { _ in .runs }
        var beforeStart: @Sendable ([String]) -> Void = { _ in }
    }

    private let state = Mutex(State())

    public init() {}

    // MARK: Faults

    /// The next `count` operations that match fail with `code`.
    public func failNext(_ count: Int = 1, code: Int32 = EIO, matching: @escaping @Sendable (KernelOperation) -> Bool) {
        state.withLock { $0.injections.append(Injection(matches: matching, remaining: count, code: code)) }
    }

    /// Every operation that matches fails until ``stopFailing()``.
    public func failAlways(code: Int32 = EIO, matching: @escaping @Sendable (KernelOperation) -> Bool) {
        state.withLock { $0.injections.append(Injection(matches: matching, remaining: nil, code: code)) }
    }

    /// Everything that makes or changes the link fails until ``stopFailing()``.
    public func failAlways(link name: String, code: Int32 = EIO) {
        failAlways(code: code) { operation in
            switch operation {
            case .addLink(let link, _), .changeLink(let link, _): link.name == name
            default: false
            }
        }
    }

    /// Looking into the namespace fails until ``stopFailing()``.
    public func failReading(_ namespace: NamespaceName?, code: Int32 = EIO) {
        state.withLock { $0.unreadable[namespace] = code }
    }

    public func stopFailing() {
        state.withLock {
            $0.injections = []
            $0.unreadable = [:]
        }
    }

    public func onStart(_ behaviour: @escaping @Sendable ([String]) -> StartBehaviour) {
        state.withLock { $0.behaviour = behaviour }
    }

    /// What is called with each command before anything comes of it; it may take its time.
    public func beforeStart(_ body: @escaping @Sendable ([String]) -> Void) {
        state.withLock { $0.beforeStart = body }
    }

    // MARK: Others on the host

    /// Somebody else makes a device of a kind that we never make.
    public func plug(_ link: Link, in namespace: NamespaceName? = nil) throws(KernelError) {
        try state.withLock { state throws(KernelError) in try state.host.insert(link, namespace) }
    }

    /// Somebody else does something: no injected failure, nothing in the log.
    public func somebodyElse(_ operation: KernelOperation) throws(KernelError) {
        try state.withLock { state throws(KernelError) in try state.host.perform(operation) }
    }

    /// Somebody else does something right after the next operation that matches, before anybody else has a turn.
    public func somebodyElse(_ operation: KernelOperation, rightAfter matches: @escaping @Sendable (KernelOperation) -> Bool) {
        state.withLock { $0.intrusions.append(Intrusion(matches: matches, operation: operation)) }
    }

    /// Makes the namespace a name without a namespace behind it, as a crash in the middle of `ip netns add` does.
    public func breakNamespace(_ name: NamespaceName) {
        state.withLock {
            $0.host.namespaces[name] = nil
            $0.host.broken.insert(name)
        }
    }

    /// Starts a process as somebody else would; returns its id.
    public func spawn(_ command: [String], in namespace: NamespaceName? = nil, isStubborn: Bool = false) -> Int32 {
        state.withLock { $0.processes.spawn(command, namespace, isStubborn: isStubborn) }
    }

    public func kill(process id: Int32) {
        state.withLock { $0.processes.running[id] = nil }
    }

    // MARK: What happened

    /// Operations that succeeded since ``clearLog()``, in order.
    public var performed: [KernelOperation] { state.withLock { $0.performed } }
    /// Dumps and reads of kernel state since ``clearLog()``, such as "links qdhcp-1".
    public var reads: [String] { state.withLock { $0.reads } }
    public var signals: [FakeSignal] { state.withLock { $0.signals } }
    public var announcements: [LinkAddress] { state.withLock { $0.host.announcements } }
    public var runningProcesses: [ProcessStatus] {
        state.withLock { state in
            state.processes.running.sorted { $0.key < $1.key }.map { $0.value.status(id: $0.key) }
        }
    }
    public var namedPipes: Set<String> { state.withLock { $0.processes.pipes } }

    public func clearLog() {
        state.withLock {
            $0.performed = []
            $0.reads = []
            $0.signals = []
            $0.host.announcements = []
        }
    }

    /// A table as structure; nil when there is none.
    public func firewallTable(_ identity: String, in namespace: NamespaceName? = nil) -> FirewallTable? {
        state.withLock { try? $0.host.read(namespace).ruleset.tables[identity] }
    }

    /// The host's kernel objects as text, sorted: the same state gives the same text, however it came about.
    public var rendered: String { state.withLock { HostRendering.text(of: $0.host) } }

    /// Processes and files as text.
    public var renderedProcesses: String { state.withLock { HostRendering.text(of: $0.processes) } }

    // MARK: NetworkKernel

    public func perform(_ operation: KernelOperation) throws(KernelError) {
        try state.withLock { state throws(KernelError) in
            if let index = state.injections.firstIndex(where: { $0.matches(operation) && $0.remaining != 0 }) {
                if let remaining = state.injections[index].remaining { state.injections[index].remaining = remaining - 1 }
                throw KernelError(code: state.injections[index].code, "injected failure of \(operation)")
            }
            try state.host.perform(operation)
            state.performed.append(operation)
            if let index = state.intrusions.firstIndex(where: { $0.matches(operation) }) {
                try state.host.perform(state.intrusions.remove(at: index).operation)
            }
        }
    }

    private func read(_ what: String, _ namespace: NamespaceName?) throws(KernelError) -> FakeNamespace {
        try state.withLock { state throws(KernelError) in
            state.reads.append("\(what) \(namespace?.description ?? "host")")
            if let code = state.unreadable[namespace] { throw KernelError(code: code, "injected failure to read \(what)") }
            return try state.host.read(namespace)
        }
    }

    public func namespaces() throws(KernelError) -> Set<NamespaceName> {
        state.withLock {
            $0.reads.append("namespaces")
            return Set($0.host.namespaces.keys).union($0.host.broken)
        }
    }

    public func links(in namespace: NamespaceName?) throws(KernelError) -> [Link] {
        try read("links", namespace).links.values.sorted { $0.name < $1.name }
    }

    public func addresses(in namespace: NamespaceName?) throws(KernelError) -> Set<LinkAddress> {
        let all = try read("addresses", namespace).addresses
        return Set(all.flatMap { link, addresses in addresses.map { LinkAddress(link: link, address: $0) } })
    }

    public func routes(in namespace: NamespaceName?) throws(KernelError) -> Set<Route> { try read("routes", namespace).routes }

    public func rules(in namespace: NamespaceName?) throws(KernelError) -> Set<RoutingRule> { try read("rules", namespace).rules }

    public func forwardingEntries(in namespace: NamespaceName?) throws(KernelError) -> Set<ForwardingEntry> {
        try read("forwarding", namespace).forwarding
    }

    public func neighbours(in namespace: NamespaceName?) throws(KernelError) -> Set<Neighbour> {
        try read("neighbours", namespace).neighbours
    }

    public func sysctl(_ path: String, in namespace: NamespaceName?) throws(KernelError) -> String {
        try read("sysctl \(path)", namespace).sysctl(path)
    }

    public func firewallTables(in namespace: NamespaceName?) throws(KernelError) -> Set<String> {
        Set(try read("tables", namespace).ruleset.tables.keys)
    }

    public func firewallContents(in namespace: NamespaceName?) throws(KernelError) -> [String: FirewallContents] {
        try read("contents of tables", namespace).ruleset.tables.mapValues(FirewallContents.init(of:))
    }

    public func firewallGeneration(in namespace: NamespaceName?) throws(KernelError) -> UInt32 {
        try read("generation", namespace).ruleset.generation
    }

    // MARK: ProcessHost

    public func start(_ command: [String], in namespace: NamespaceName?, timeoutMilliseconds: Int) throws(KernelError) {
        let beforeStart = state.withLock { $0.beforeStart }
        beforeStart(command)
        try state.withLock { state throws(KernelError) in
            _ = try state.host.read(namespace)
            switch state.behaviour(command) {
            case .fails(let message): throw KernelError(code: 0, message)
            case .endsAtOnce: state.processes.nextID += 1
            case .runs where FakeProcesses.isBrief(command), .runsWithoutProcessID where FakeProcesses.isBrief(command): break
            case .runsWithoutProcessID: _ = state.processes.spawn(command, namespace)
            case .runs:
                let id = state.processes.spawn(command, namespace)
                if let path = FakeProcesses.processIDFile(in: command) { state.processes.files[path] = "\(id)\n" }
            }
        }
    }

    public func process(id: Int32) -> ProcessStatus? {
        state.withLock { state in state.processes.running[id].map { $0.status(id: id) } }
    }

    public func processes(marked mark: String) -> [ProcessStatus] {
        runningProcesses.filter { $0.command.joined(separator: " ").contains(mark) }
    }

    public func signal(_ signal: Int32, process id: Int32) throws(KernelError) {
        try state.withLock { state throws(KernelError) in
            try state.processes.signal(signal, id)
            state.signals.append(FakeSignal(signal: signal, process: id))
        }
    }

    public func waitForExit(process id: Int32, timeoutMilliseconds: Int) -> Bool { process(id: id) == nil }

    public func readFile(_ path: String) throws(KernelError) -> String? { state.withLock { $0.processes.files[path] } }

    public func writeFile(_ path: String, _ contents: String) throws(KernelError) {
        state.withLock { $0.processes.files[path] = contents }
    }

    public func limit(_ log: GrowingLog) throws(KernelError) {
        state.withLock { state in
            guard let contents = state.processes.files[log.path], contents.utf8.count > log.limitBytes else { return }
            (state.processes.files[log.formerPath], state.processes.files[log.path]) = (contents, "")
        }
    }

    public func makeNamedPipe(_ path: String) throws(KernelError) {
        try state.withLock { state throws(KernelError) in
            guard state.processes.pipes.insert(path).inserted else { throw KernelError(code: EEXIST, "\(path) exists") }
        }
    }

    public func removeFile(_ path: String) throws(KernelError) { state.withLock { $0.processes.remove(path) } }

    public func listDirectory(_ path: String) throws(KernelError) -> [String] { state.withLock { $0.processes.list(path) } }
}

extension FakeKernel: RulesetHistory {
    public func tables(in place: NamespaceName?, after first: UInt32, through last: UInt32) -> [Set<String>]? {
        state.withLock { try? $0.host.read(place).ruleset.tables(after: first, through: last) }
    }
}

/// A signal that was sent to a simulated process.
public struct FakeSignal: Hashable, Sendable {
    public var signal: Int32
    public var process: Int32
}

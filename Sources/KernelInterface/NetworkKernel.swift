import Addressing

/// One change of kernel objects. Operations are values so that a cycle can be planned, printed, counted and tested before it is done.
public enum KernelOperation: Hashable, Sendable {
    /// The namespace starts with its loopback device up, and so that removing an address never removes another. EEXIST when there is one
    /// of that name.
    case addNamespace(NamespaceName)
    /// Takes every device and address in it along: far cheaper than deleting veths one by one (20 ms each).
    case removeNamespace(NamespaceName)
    /// A forwarding device whose `accept_ra` becomes 0 also forgets the default routes that it learned from router advertisements.
    case setSysctl(path: String, value: String, NamespaceName?)
    /// Creates the link with everything that ``Link`` says, and its peer for a veth, in as few messages as the kernel allows.
    case addLink(Link, NamespaceName?)
    /// Changes MAC, MTU, up or down, bridge, bridge port flags and alias of a link that exists; never its kind.
    case changeLink(Link, NamespaceName?)
    case removeLink(name: String, NamespaceName?)
    case addAddress(LinkAddress, NamespaceName?)
    case removeAddress(LinkAddress, NamespaceName?)
    /// Adds the route, or replaces one for the same destination in the same table.
    case setRoute(Route, NamespaceName?)
    case removeRoute(Route, NamespaceName?)
    /// EEXIST when there is the same rule.
    case addRule(RoutingRule, NamespaceName?)
    case removeRule(RoutingRule, NamespaceName?)
    case addForwarding(ForwardingEntry, NamespaceName?)
    case removeForwarding(ForwardingEntry, NamespaceName?)
    case setNeighbour(Neighbour, NamespaceName?)
    case removeNeighbour(Neighbour, NamespaceName?)
    /// Runs an nftables script as one transaction: all of it or nothing.
    case applyFirewall(script: String, NamespaceName?)
    /// Sends gratuitous ARP (RFC 5227 announcement) or an unsolicited neighbour advertisement for an address of the link.
    case announce(LinkAddress, NamespaceName?)
}

/// What the kernel answered to an operation that failed.
public struct KernelError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The errno value; 0 when the failure was not a system call's (a ruleset that nft refused).
    public var code: Int32
    /// A sentence: what was tried, and what the kernel said.
    public var description: String

    public init(code: Int32, _ description: String) {
        self.code = code
        self.description = description
    }
}

/// What the agent does to the kernel. Calls block: they run on the agent's own cycle thread, never on a cooperative one.
///
/// There are two implementations with one conformance suite: `KernelLinux`, and `FakeKernel` for tests.
public protocol NetworkKernel: AnyObject, Sendable {
    func namespaces() throws(KernelError) -> Set<NamespaceName>
    /// Every link of the namespace, foreign ones included. Bridge port flags are only reported for ports of a bridge.
    func links(in namespace: NamespaceName?) throws(KernelError) -> [Link]
    /// Global and link-local addresses; the kernel's own link-local addresses (fe80:: derived) are left out.
    func addresses(in namespace: NamespaceName?) throws(KernelError) -> Set<LinkAddress>
    /// Routes of the main table that were set by somebody (protocol static or boot), not the kernel's connected ones, and those of other tables
    /// that were set by ``KernelOperation/setRoute(_:_:)`` (protocol static).
    func routes(in namespace: NamespaceName?) throws(KernelError) -> Set<Route>
    /// Rules that were made by ``KernelOperation/addRule(_:_:)`` (protocol static): neither the kernel's three nor those of others.
    func rules(in namespace: NamespaceName?) throws(KernelError) -> Set<RoutingRule>
    /// Permanent entries only, without those that the kernel makes for a device's own MAC.
    func forwardingEntries(in namespace: NamespaceName?) throws(KernelError) -> Set<ForwardingEntry>
    /// Permanent entries only.
    func neighbours(in namespace: NamespaceName?) throws(KernelError) -> Set<Neighbour>
    func sysctl(_ path: String, in namespace: NamespaceName?) throws(KernelError) -> String
    /// The values of several; a path that the kernel does not have is left out.
    func sysctls(_ paths: [String], in namespace: NamespaceName?) throws(KernelError) -> [String: String]
    /// The names of the nftables tables of the namespace, as "family name".
    func firewallTables(in namespace: NamespaceName?) throws(KernelError) -> Set<String>
    /// The names of what is in them, by "family name".
    func firewallContents(in namespace: NamespaceName?) throws(KernelError) -> [String: FirewallContents]
    /// The generation of the namespace's ruleset: it changes when anybody changes the ruleset.
    func firewallGeneration(in namespace: NamespaceName?) throws(KernelError) -> UInt32

    func perform(_ operation: KernelOperation) throws(KernelError)
    /// Announces several addresses of one namespace, which costs hardly more than ``KernelOperation/announce(_:_:)`` of one.
    func announce(_ addresses: [LinkAddress], in namespace: NamespaceName?) throws(KernelError)
}

extension NetworkKernel {
    public func announce(_ addresses: [LinkAddress], in namespace: NamespaceName?) throws(KernelError) {
        for address in addresses { try perform(.announce(address, namespace)) }
    }

    public func sysctls(_ paths: [String], in namespace: NamespaceName?) throws(KernelError) -> [String: String] {
        var values: [String: String] = [:]
        for path in paths { values[path] = try? sysctl(path, in: namespace) }
        return values
    }
}

/// A process as /proc shows it.
public struct ProcessStatus: Hashable, Sendable {
    public var id: Int32
    /// The words of the command line, which a process may choose as it likes.
    public var command: [String]
    /// The name of the file that it was started from (`dnsmasq`), which it may not.
    public var program: String
    /// Whether its network is the host's own: daemons of namespaces are not there, what people start usually is.
    public var isInHostNetwork: Bool

    public init(id: Int32, command: [String], program: String, isInHostNetwork: Bool) {
        self.id = id
        self.command = command
        self.program = program
        self.isInHostNetwork = isInHostNetwork
    }
}

/// What the agent does to daemons and their files. Calls block, like those of ``NetworkKernel``.
public protocol ProcessHost: AnyObject, Sendable {
    /// Runs a program that detaches itself, inside a namespace, and waits until it has: at most `timeoutMilliseconds`. Standard error of a
    /// program that failed is part of the error's sentence.
    func start(_ command: [String], in namespace: NamespaceName?, timeoutMilliseconds: Int) throws(KernelError)
    /// The running process with this id; nil when there is none (a zombie counts as none, and so does one of another process namespace, such as a
    /// container's: no agent of this host started it).
    func process(id: Int32) -> ProcessStatus?
    /// Every such process whose command line holds `mark`: what a killed agent left behind, and others that were told the same path.
    func processes(marked mark: String) -> [ProcessStatus]
    func signal(_ signal: Int32, process id: Int32) throws(KernelError)
    /// Waits until the process has gone; false when it is still there after the time.
    func waitForExit(process id: Int32, timeoutMilliseconds: Int) -> Bool

    /// Nil when there is no such file.
    func readFile(_ path: String) throws(KernelError) -> String?
    /// Writes a new file beside the old one and renames it over it, so that no reader ever sees half of it. Makes missing directories.
    func writeFile(_ path: String, _ contents: String) throws(KernelError)
    /// Moves what is in a log that is larger than its limit to the file beside it. Whoever has it open goes on to append to it. Fine when there is no such file.
    func limit(_ log: GrowingLog) throws(KernelError)
    func makeNamedPipe(_ path: String) throws(KernelError)
    /// Removes a file or a directory with what is in it; fine when it is not there.
    func removeFile(_ path: String) throws(KernelError)
    /// The names in a directory; empty when it is not there.
    func listDirectory(_ path: String) throws(KernelError) -> [String]
}

import CLinux
import Glibc
import KernelInterface
import Synchronization

/// Tells which of a set of namespaces had a link or its ruleset changed: one netlink socket for the links of all, one for each ruleset, and one thread. Of
/// the agent's own namespace, rulesets only (see ``NetworkEvents`` for the rest).
///
/// Only that something changed is told, not what: whoever hears it looks. Which tables were named by whom changed a ruleset is kept for who asks
/// (``RulesetHistory``). Events of one namespace that come faster than ``pauseMilliseconds`` are told once. A socket keeps its namespace alive: leave a
/// namespace out of ``watch(_:)`` before removing it.
public final class NamespaceEvents: Sendable {
    /// A descriptor each; a namespace beyond is looked at by the resync alone.
    public static let limit = 1_024
    /// A router's tables.
    static let rulesetBufferBytes = 64 * 1024
    /// The own namespace's tables with thousands of elements; it takes memory only while it is in use.
    static let ownRulesetBufferBytes = 4 * 1024 * 1024
    /// Datagrams that are read of a socket at a time: more than those buffers hold.
    private static let datagramsPerRead = 4_096
    /// How long a question waits at most for messages of a transaction that the kernel is about to send.
    private static let patienceMilliseconds = 50
    /// NFNLGRP_NFTABLES as a bit of `nl_groups`.
    private static let rulesetGroup = UInt32(1) << (UInt32(NFNLGRP_NFTABLES.rawValue) - 1)
    /// How long the thread lets events gather after it told of some.
    static let pauseMilliseconds: Int32 = 50
    private static let eventsPerWait = 64

    private let poller: Int32
    private let links: NamespaceLinks
    /// The ends of a pipe: closing the second wakes the thread up.
    private let wakeUp: (read: Int32, write: Int32)
    private let state = Mutex(State())
    private let onChange: @Sendable (NamespaceName) -> Void
    private let onRulesetChange: @Sendable (NamespaceName?) -> Void

    private struct Source: Hashable {
        var name: NamespaceName?
        var isRuleset: Bool
    }

    private struct Place {
        /// The number by which messages of links say which namespace they are about.
        var number: Int32
        var rulesets: Int32
        var identity: NamespaceHandle.Identity?
    }

    private struct State {
        var places: [NamespaceName: Place] = [:]
        var names: [Int32: NamespaceName] = [:]
        /// By the sockets of rulesets.
        var sources: [Int32: Source] = [:]
        /// By the sockets of rulesets.
        var logs: [Int32: RulesetLog] = [:]
        /// The ruleset of the agent's own namespace.
        var ownRulesets: Int32 = -1
        var isClosed = false
    }

    /// - Parameters:
    ///   - onChange: called when a link changed; it must not block.
    ///   - onRulesetChange: the same when anybody, this process included, changed the ruleset of nftables; nil: in the agent's own namespace.
    public init(
        onChange: @escaping @Sendable (NamespaceName) -> Void, onRulesetChange: @escaping @Sendable (NamespaceName?) -> Void = { _ in }
    ) throws(KernelError) {
        let action = "listen to the events of namespaces"
        var ends: [Int32] = [-1, -1]
        let result = clinux_pipe(&ends)
        guard result >= 0 else { throw KernelError(-result, action) }
        wakeUp = (ends[0], ends[1])
        poller = clinux_poll_set()
        self.onChange = onChange
        self.onRulesetChange = onRulesetChange
        do throws(NetlinkError) {
            links = try NamespaceLinks()
        } catch {
            Self.close(ends[0], ends[1], poller)
            throw KernelError(error.code, action)
        }
        let rulesets = clinux_netlink_socket(NETLINK_NETFILTER, Self.rulesetGroup, Int32(Self.ownRulesetBufferBytes), 0)
        guard poller >= 0, rulesets >= 0, add(ends[0]), add(rulesets), add(links.descriptor) else {
            let code = rulesets < 0 ? -rulesets : errno
            Self.close(ends[1], rulesets, links.descriptor)
            throw KernelError(code, action)
        }
        state.withLock { state in
            state.ownRulesets = rulesets
            state.sources[rulesets] = Source(name: nil, isRuleset: true)
            // Nobody has looked at the ruleset yet.
            state.logs[rulesets] = RulesetLog(isWhole: true)
        }
        Self.start(self)
    }

    deinit {
        Glibc.close(poller)
        Glibc.close(wakeUp.read)
    }

    /// Listens to these namespaces and no others. One that does not exist is left out until the next call; one that was removed and made again under
    /// its name is listened to anew.
    public func watch(_ names: Set<NamespaceName>) {
        state.withLock { state in
            guard !state.isClosed else { return }
            for (name, place) in state.places
            where !names.contains(name) || NamespaceHandle.Identity(of: NamespaceRunner.path(of: name)) != place.identity {
                // Closing it takes it out of the poller.
                Self.close(place.rulesets)
                state.places[name] = nil
                if state.names[place.number] == name { state.names[place.number] = nil }
                state.sources[place.rulesets] = nil
                state.logs[place.rulesets] = nil
            }
            for name in names.sorted() where state.places[name] == nil && state.places.count < Self.limit {
                guard let place = place(name) else { continue }
                guard add(place.rulesets) else {
                    Self.close(place.rulesets)
                    continue
                }
                state.places[name] = place
                state.names[place.number] = name
                state.sources[place.rulesets] = Source(name: name, isRuleset: true)
                state.logs[place.rulesets] = RulesetLog(isWhole: false)
            }
        }
    }

    /// Ends the thread and closes the sockets.
    public func close() {
        state.withLock { state in
            guard !state.isClosed else { return }
            state.isClosed = true
            for socket in state.sources.keys { Self.close(socket) }
            Self.close(links.descriptor)
            (state.places, state.names, state.sources, state.logs, state.ownRulesets) = ([:], [:], [:], [:], -1)
            // The thread wakes up at the end of the stream.
            Glibc.close(wakeUp.write)
        }
    }

    /// Nil for a namespace that does not exist, or that ends.
    private func place(_ name: NamespaceName) -> Place? {
        guard let identity = NamespaceHandle.Identity(of: NamespaceRunner.path(of: name)),
            let namespace = try? NamespaceRunner.openNamespace(name)
        else { return nil }
        defer { Self.close(namespace) }
        guard let number = links.number(of: namespace) else { return nil }
        let rulesets = try? NamespaceRunner.runTyped(in: name) { () throws(KernelError) in
            clinux_netlink_socket(NETLINK_NETFILTER, Self.rulesetGroup, Int32(Self.rulesetBufferBytes), 0)
        }
        guard let rulesets, rulesets >= 0 else { return nil }
        return Place(number: number, rulesets: rulesets, identity: identity)
    }

    private static func close(_ sockets: Int32...) {
        for socket in sockets where socket >= 0 { Glibc.close(socket) }
    }

    private func add(_ descriptor: Int32) -> Bool {
        clinux_poll_add(poller, descriptor) >= 0
    }

    // MARK: The thread

    private static func start(_ events: NamespaceEvents) {
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(events)
        let code = pthread_create(
            &thread, nil,
            { argument in
                if let argument { Unmanaged<NamespaceEvents>.fromOpaque(argument).takeRetainedValue().work() }
                return nil
            }, argument.toOpaque())
        // Without the thread the resync finds what events would have told.
        if code == 0 { pthread_detach(thread) } else { argument.release() }
    }

    private func work() {
        var ready = [Int32](repeating: 0, count: Self.eventsPerWait)
        while true {
            let count = clinux_poll_wait(poller, &ready, Int32(ready.count), -1)
            if count < 0 { return }
            let sources = state.withLock { state -> Set<Source>? in
                if state.isClosed { return nil }
                var sources: Set<Source> = []
                for socket in ready.prefix(Int(max(count, 0))) {
                    if socket == links.descriptor {
                        sources.formUnion(changedLinks(state))
                    } else if let source = Self.read(socket, &state) {
                        sources.insert(source)
                    }
                }
                return sources
            }
            guard let sources else { return }
            for source in sources { tell(source) }
            _ = poll(nil, 0, Self.pauseMilliseconds)
        }
    }

    private func tell(_ source: Source) {
        if source.isRuleset {
            onRulesetChange(source.name)
        } else if let name = source.name {
            onChange(name)
        }
    }

    /// Reads what waits at the socket of links. When events were lost, any link of any namespace may have changed.
    private func changedLinks(_ state: State) -> Set<Source> {
        var sources: Set<Source> = []
        var area = [UInt8](repeating: 0, count: NetlinkSocket.datagramBytes)
        for _ in 0..<Self.datagramsPerRead {
            switch links.read(&area) {
            case nil: return sources
            case .changed(let number): if let name = state.names[number] { sources.insert(Source(name: name, isRuleset: false)) }
            case .other(isLoss: true): sources.formUnion(state.places.keys.map { Source(name: $0, isRuleset: false) })
            case .other(isLoss: false): break
            }
        }
        return sources
    }

    /// Reads what waits at the socket of a ruleset; what it tells of. A number that was closed meanwhile tells of nothing.
    private static func read(_ socket: Int32, _ state: inout State) -> Source? {
        guard let source = state.sources[socket] else { return nil }
        var area = [UInt8](repeating: 0, count: NetlinkSocket.datagramBytes)
        // Bounded: what comes meanwhile waits for the next turn.
        for _ in 0..<datagramsPerRead {
            let result = clinux_netlink_receive(socket, &area, area.count, 0)
            if result == -EAGAIN {
                state.logs[socket]?.noteEmpty()
                break
            }
            if result < 0 { state.logs[socket]?.noteLoss() } else { state.logs[socket]?.note(area[..<Int(result)]) }
        }
        return source
    }
}

extension NamespaceEvents: RulesetHistory {
    /// Reads what has come meanwhile. The kernel counts a transaction before it tells of it, so this waits a moment for one that was counted.
    public func tables(in place: NamespaceName?, after first: UInt32, through last: UInt32) -> [Set<String>]? {
        let (source, tables) = state.withLock { state -> (Source?, [Set<String>]?) in
            let socket = place.map { state.places[$0]?.rulesets ?? -1 } ?? state.ownRulesets
            guard let source = Self.read(socket, &state) else { return (nil, nil) }
            for _ in 0..<Self.patienceMilliseconds where state.logs[socket]?.isBefore(last) == true {
                var request = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
                if poll(&request, 1, 1) > 0 { _ = Self.read(socket, &state) }
            }
            return (source, state.logs[socket]?.tables(after: first, through: last))
        }
        // What was read may have been more than what was asked for, and the thread finds nothing any more.
        if let source { tell(source) }
        return tables
    }
}

import CLinux
import Glibc
import KernelInterface
import Synchronization

/// Tells which of a set of namespaces had a link or its ruleset changed: two netlink sockets and one thread for all of them. Of the agent's own
/// namespace, rulesets only (see ``NetworkEvents`` for the rest).
///
/// Only that something changed is told, not what: whoever hears it looks. Which tables were named by whom changed a ruleset is kept for who asks
/// (``RulesetHistory``). Events of one namespace that come faster than ``pauseMilliseconds`` are told once.
public final class NamespaceEvents: Sendable {
    /// A namespace beyond is looked at by the resync alone.
    public static let limit = 16_384
    /// Links of some hundred namespaces that are made at once. When there are more, the kernel drops events and says so, which is told like any other, of
    /// all namespaces.
    static let linkBufferBytes = 2 * 1024 * 1024
    /// The own namespace's tables with thousands of elements, or all routers'.
    static let rulesetBufferBytes = 8 * 1024 * 1024
    /// Datagrams that are read of a socket at a time: more than those buffers hold.
    private static let datagramsPerRead = 16_384
    /// How long a question waits at most for messages of a transaction that the kernel is about to send.
    private static let patienceMilliseconds = 50
    /// NFNLGRP_NFTABLES as a bit of `nl_groups`.
    private static let rulesetGroup = UInt32(1) << (UInt32(NFNLGRP_NFTABLES.rawValue) - 1)
    /// How long the thread lets events gather after it told of some.
    static let pauseMilliseconds: Int32 = 50
    private static let eventsPerWait = 8

    private let poller: Int32
    /// The ends of a pipe: closing the second wakes the thread up.
    private let wakeUp: (read: Int32, write: Int32)
    /// For questions about the numbers of namespaces.
    private let requests: NetlinkSocket
    private let state: Mutex<State>
    private let onChange: @Sendable (NamespaceName) -> Void
    private let onRulesetChange: @Sendable (NamespaceName?) -> Void

    private struct Source: Hashable {
        /// Nil: the agent's own namespace.
        var name: NamespaceName?
        var isRuleset: Bool
    }

    private struct Place {
        /// The number by which messages say which namespace they are about.
        var number: Int32
        var identity: NamespaceHandle.Identity
        var rulesets = RulesetLog(isWhole: false)
    }

    private struct State {
        var links: NamespaceListener
        var rulesets: NamespaceListener
        var places: [NamespaceName: Place] = [:]
        var names: [Int32: NamespaceName] = [:]
        /// Of the agent's own namespace, at which nobody has looked yet.
        var ownRulesets = RulesetLog(isWhole: true)
        /// Messages of rulesets were lost, and the socket has not been read empty since.
        var hasLoss = false
        var isClosed = false

        mutating func forEachLog(_ body: (inout RulesetLog) -> Void) {
            body(&ownRulesets)
            places = places.mapValues { place in
                var place = place
                body(&place.rulesets)
                return place
            }
        }
    }

    /// - Parameters:
    ///   - onChange: called when a link changed; it must not block.
    ///   - onRulesetChange: the same when anybody, this process included, changed the ruleset of nftables; nil: in the agent's own namespace.
    public convenience init(
        onChange: @escaping @Sendable (NamespaceName) -> Void, onRulesetChange: @escaping @Sendable (NamespaceName?) -> Void = { _ in }
    ) throws(KernelError) {
        try self.init(rulesetBufferBytes: Self.rulesetBufferBytes, onChange: onChange, onRulesetChange: onRulesetChange)
    }

    init(
        rulesetBufferBytes: Int, onChange: @escaping @Sendable (NamespaceName) -> Void,
        onRulesetChange: @escaping @Sendable (NamespaceName?) -> Void = { _ in }
    ) throws(KernelError) {
        let action = "listen to the events of namespaces"
        let (links, rulesets, requests) = try attempt(action) { () throws(NetlinkError) in try Self.sockets(rulesetBufferBytes) }
        var ends: [Int32] = [-1, -1]
        let result = clinux_pipe(&ends)
        let poller = clinux_poll_set()
        let descriptors = [ends[0], links.descriptor, rulesets.descriptor]
        guard result >= 0, poller >= 0, descriptors.allSatisfy({ clinux_poll_add(poller, $0) >= 0 }) else {
            let code = result < 0 ? -result : errno
            for descriptor in descriptors + [ends[1], poller] where descriptor >= 0 { Glibc.close(descriptor) }
            throw KernelError(code, action)
        }
        self.poller = poller
        wakeUp = (ends[0], ends[1])
        self.requests = requests
        state = Mutex(State(links: links, rulesets: rulesets))
        self.onChange = onChange
        self.onRulesetChange = onRulesetChange
        Self.start(self)
    }

    deinit {
        Glibc.close(poller)
        Glibc.close(wakeUp.read)
    }

    private static func sockets(
        _ rulesetBufferBytes: Int
    ) throws(NetlinkError) -> (NamespaceListener, NamespaceListener, NetlinkSocket) {
        let requests = try NetlinkSocket(protocol: NETLINK_ROUTE)
        let links = try NamespaceListener(protocol: NETLINK_ROUTE, groups: UInt32(RTMGRP_LINK), bufferBytes: linkBufferBytes)
        do throws(NetlinkError) {
            return (
                links, try NamespaceListener(protocol: NETLINK_NETFILTER, groups: rulesetGroup, bufferBytes: rulesetBufferBytes), requests
            )
        } catch {
            Glibc.close(links.descriptor)
            throw error
        }
    }

    /// Listens to these namespaces and no others. One that does not exist is left out until the next call; one that was removed and made again under
    /// its name is listened to anew.
    public func watch(_ names: Set<NamespaceName>) {
        state.withLock { state in
            guard !state.isClosed else { return }
            for (name, place) in state.places
            where !names.contains(name) || NamespaceHandle.Identity(of: NamespaceRunner.path(of: name)) != place.identity {
                state.places[name] = nil
                if state.names[place.number] == name { state.names[place.number] = nil }
            }
            for name in names.sorted() where state.places[name] == nil && state.places.count < Self.limit {
                guard let place = place(name) else { continue }
                state.places[name] = place
                state.names[place.number] = name
            }
        }
    }

    /// Ends the thread and closes the sockets.
    public func close() {
        state.withLock { state in
            guard !state.isClosed else { return }
            state.isClosed = true
            for listener in [state.links, state.rulesets] { Glibc.close(listener.descriptor) }
            (state.places, state.names) = ([:], [:])
            // The thread wakes up at the end of the stream.
            Glibc.close(wakeUp.write)
        }
    }

    /// Nil for a namespace that does not exist, or that ends.
    private func place(_ name: NamespaceName) -> Place? {
        guard let identity = NamespaceHandle.Identity(of: NamespaceRunner.path(of: name)),
            let namespace = try? NamespaceRunner.openNamespace(name)
        else { return nil }
        defer { Glibc.close(namespace) }
        return number(of: namespace).map { Place(number: $0, identity: identity) }
    }

    /// By which number the sockets know a namespace, which gets one if it has none.
    private func number(of namespace: Int32) -> Int32? {
        do throws(NetlinkError) {
            try requests.perform(LinkMessages.namespaceNumbering(descriptor: namespace))
        } catch {
            // It has one: a veth pair between two namespaces gives one to each.
            guard error.code == EEXIST else { return nil }
        }
        return try? requests.get(LinkMessages.namespaceID(descriptor: namespace), LinkMessages.parseNamespaceID)
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
            if clinux_poll_wait(poller, &ready, Int32(ready.count), -1) < 0 { return }
            let sources = state.withLock { state -> Set<Source>? in
                state.isClosed ? nil : Self.readLinks(&state).union(Self.readRulesets(&state))
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

    // MARK: Reading

    /// Bounded, like the other: what comes meanwhile waits for the next turn.
    private static func readLinks(_ state: inout State) -> Set<Source> {
        var sources: Set<Source> = []
        for _ in 0..<datagramsPerRead {
            switch state.links.read() {
            case .empty: return sources
            case .loss: sources.formUnion(state.places.keys.map { Source(name: $0, isRuleset: false) })
            case .datagram(_, let number?): if let name = state.names[number] { sources.insert(Source(name: name, isRuleset: false)) }
            case .datagram(_, nil): break
            }
        }
        return sources
    }

    private static func readRulesets(_ state: inout State) -> Set<Source> {
        var sources: Set<Source> = []
        for _ in 0..<datagramsPerRead {
            switch state.rulesets.read() {
            case .empty:
                if state.hasLoss { state.forEachLog { $0.noteEmpty() } }
                state.hasLoss = false
                return sources
            case .loss:
                state.hasLoss = true
                state.forEachLog { $0.noteLoss() }
                sources.formUnion(([nil] + state.places.keys.map(Optional.some)).map { Source(name: $0, isRuleset: true) })
            case .datagram(let bytes, nil):
                state.ownRulesets.note(bytes)
                sources.insert(Source(name: nil, isRuleset: true))
            case .datagram(let bytes, let number?):
                guard let name = state.names[number] else { continue }
                state.places[name]?.rulesets.note(bytes)
                sources.insert(Source(name: name, isRuleset: true))
            }
        }
        return sources
    }
}

extension NamespaceEvents: RulesetHistory {
    /// Reads what has come meanwhile. The kernel counts a transaction before it tells of it, so this waits a moment for one that was counted.
    public func tables(in place: NamespaceName?, after first: UInt32, through last: UInt32) -> [Set<String>]? {
        let (sources, tables) = state.withLock { state -> (Set<Source>, [Set<String>]?) in
            guard !state.isClosed else { return ([], nil) }
            var sources = Self.readRulesets(&state)
            // By the clock: other namespaces' messages wake it up as well.
            let deadline = ContinuousClock.now + .milliseconds(Self.patienceMilliseconds)
            while Self.log(of: place, state)?.isBefore(last) == true, ContinuousClock.now < deadline {
                var request = pollfd(fd: state.rulesets.descriptor, events: Int16(POLLIN), revents: 0)
                if poll(&request, 1, 1) > 0 { sources.formUnion(Self.readRulesets(&state)) }
            }
            return (sources, Self.log(of: place, state)?.tables(after: first, through: last))
        }
        // What was read may have been more than what was asked for, and the thread finds nothing any more.
        for source in sources { tell(source) }
        return tables
    }

    private static func log(of place: NamespaceName?, _ state: State) -> RulesetLog? {
        place.map { state.places[$0]?.rulesets } ?? state.ownRulesets
    }
}

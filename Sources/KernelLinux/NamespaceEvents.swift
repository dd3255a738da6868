import CLinux
import Glibc
import KernelInterface
import Synchronization

/// Tells which of a set of namespaces had a link or its ruleset changed: two netlink sockets for each, and one thread for all of them.
///
/// Only that something changed is told, not what: whoever hears it looks. Events of one namespace that come faster than ``pauseMilliseconds`` are told
/// once. A socket keeps its namespace alive: leave a namespace out of ``watch(_:)`` before removing it.
public final class NamespaceEvents: Sendable {
    /// Two descriptors each; a namespace beyond is looked at by the resync alone.
    public static let limit = 1_024
    /// A few events each. When there are more, the kernel drops them and says so, which is told like any other.
    static let bufferBytes = 16 * 1024
    /// How long the thread lets events gather after it told of some.
    static let pauseMilliseconds: Int32 = 50
    private static let eventsPerWait = 64

    private let poller: Int32
    /// The ends of a pipe: closing the second wakes the thread up.
    private let wakeUp: (read: Int32, write: Int32)
    private let state = Mutex(State())
    private let onChange: @Sendable (NamespaceName) -> Void
    private let onRulesetChange: @Sendable (NamespaceName) -> Void

    private struct Source: Hashable {
        var name: NamespaceName
        var isRuleset: Bool
    }

    private struct State {
        var sockets: [NamespaceName: (links: Int32, rulesets: Int32, identity: NamespaceHandle.Identity?)] = [:]
        var sources: [Int32: Source] = [:]
        var isClosed = false
    }

    /// - Parameters:
    ///   - onChange: called on the thread of this object when a link changed; it must not block.
    ///   - onRulesetChange: the same when anybody, this process included, changed the ruleset of nftables.
    public init(
        onChange: @escaping @Sendable (NamespaceName) -> Void, onRulesetChange: @escaping @Sendable (NamespaceName) -> Void = { _ in }
    ) throws(KernelError) {
        let action = "listen to the events of namespaces"
        var ends: [Int32] = [-1, -1]
        let result = clinux_pipe(&ends)
        guard result >= 0 else { throw KernelError(-result, action) }
        wakeUp = (ends[0], ends[1])
        poller = clinux_poll_set()
        self.onChange = onChange
        self.onRulesetChange = onRulesetChange
        guard poller >= 0, add(ends[0]) else {
            let code = errno
            Glibc.close(ends[1])
            throw KernelError(code, action)
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
            for (name, entry) in state.sockets
            where !names.contains(name) || NamespaceHandle.Identity(of: NamespaceRunner.path(of: name)) != entry.identity {
                // Closing it takes it out of the poller.
                Self.close(entry.links, entry.rulesets)
                state.sockets[name] = nil
                state.sources[entry.links] = nil
                state.sources[entry.rulesets] = nil
            }
            for name in names.sorted() where state.sockets[name] == nil && state.sockets.count < Self.limit {
                let identity = NamespaceHandle.Identity(of: NamespaceRunner.path(of: name))
                guard identity != nil, let (links, rulesets) = Self.sockets(in: name) else { continue }
                guard add(links), add(rulesets) else {
                    Self.close(links, rulesets)
                    continue
                }
                state.sockets[name] = (links, rulesets, identity)
                state.sources[links] = Source(name: name, isRuleset: false)
                state.sources[rulesets] = Source(name: name, isRuleset: true)
            }
        }
    }

    /// Ends the thread and closes the sockets.
    public func close() {
        state.withLock { state in
            guard !state.isClosed else { return }
            state.isClosed = true
            for entry in state.sockets.values { Self.close(entry.links, entry.rulesets) }
            (state.sockets, state.sources) = ([:], [:])
            // The thread wakes up at the end of the stream.
            Glibc.close(wakeUp.write)
        }
    }

    private static func sockets(in name: NamespaceName) -> (links: Int32, rulesets: Int32)? {
        let result = try? NamespaceRunner.runTyped(in: name) { () throws(KernelError) in
            (
                clinux_netlink_socket(NETLINK_ROUTE, UInt32(RTMGRP_LINK), Int32(bufferBytes), 0),
                clinux_netlink_socket(NETLINK_NETFILTER, RulesetEvents.group, Int32(bufferBytes), 0)
            )
        }
        guard let (links, rulesets) = result else { return nil }
        guard links >= 0, rulesets >= 0 else {
            close(links, rulesets)
            return nil
        }
        return (links, rulesets)
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
                return Set(ready.prefix(Int(max(count, 0))).compactMap { Self.drain($0, state) })
            }
            guard let sources else { return }
            for source in sources.sorted(by: { $0.name < $1.name }) {
                if source.isRuleset { onRulesetChange(source.name) } else { onChange(source.name) }
            }
            _ = poll(nil, 0, Self.pauseMilliseconds)
        }
    }

    /// Throws away what waits at a socket; what it tells of. A number that was closed meanwhile tells of nothing.
    private static func drain(_ socket: Int32, _ state: borrowing State) -> Source? {
        guard let source = state.sources[socket] else { return nil }
        var area = [UInt8](repeating: 0, count: NetlinkSocket.datagramBytes)
        // Bounded: what comes meanwhile waits for the next turn.
        for _ in 0..<eventsPerWait where clinux_netlink_receive(socket, &area, area.count, 0) == -EAGAIN { break }
        return source
    }
}

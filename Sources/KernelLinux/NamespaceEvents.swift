import CLinux
import Glibc
import KernelInterface
import Synchronization

/// Tells which of a set of namespaces had a link changed, made or removed: one netlink socket for each, and one thread for all of them.
///
/// Only that something changed is told, not what: whoever hears it looks. Events of one namespace that come faster than ``pauseMilliseconds`` are told
/// once. A socket keeps its namespace alive: leave a namespace out of ``watch(_:)`` before removing it.
public final class NamespaceEvents: Sendable {
    /// A descriptor each; a namespace beyond is looked at by the resync alone.
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

    private struct State {
        var sockets: [NamespaceName: (socket: Int32, identity: NamespaceHandle.Identity?)] = [:]
        var names: [Int32: NamespaceName] = [:]
        var isClosed = false
    }

    /// - Parameter onChange: called on the thread of this object; it must not block.
    public init(onChange: @escaping @Sendable (NamespaceName) -> Void) throws(KernelError) {
        let action = "listen to the events of namespaces"
        var ends: [Int32] = [-1, -1]
        let result = clinux_pipe(&ends)
        guard result >= 0 else { throw KernelError(-result, action) }
        wakeUp = (ends[0], ends[1])
        poller = clinux_poll_set()
        self.onChange = onChange
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
                Glibc.close(entry.socket)
                state.sockets[name] = nil
                state.names[entry.socket] = nil
            }
            for name in names.sorted() where state.sockets[name] == nil && state.sockets.count < Self.limit {
                let identity = NamespaceHandle.Identity(of: NamespaceRunner.path(of: name))
                guard identity != nil, let socket = Self.socket(in: name) else { continue }
                guard add(socket) else {
                    Glibc.close(socket)
                    continue
                }
                state.sockets[name] = (socket, identity)
                state.names[socket] = name
            }
        }
    }

    /// Ends the thread and closes the sockets.
    public func close() {
        state.withLock { state in
            guard !state.isClosed else { return }
            state.isClosed = true
            for entry in state.sockets.values { Glibc.close(entry.socket) }
            (state.sockets, state.names) = ([:], [:])
            // The thread wakes up at the end of the stream.
            Glibc.close(wakeUp.write)
        }
    }

    private static func socket(in name: NamespaceName) -> Int32? {
        let result = try? NamespaceRunner.runTyped(in: name) { () throws(KernelError) in
            clinux_netlink_socket(NETLINK_ROUTE, UInt32(RTMGRP_LINK), Int32(bufferBytes), 0)
        }
        return result.flatMap { $0 >= 0 ? $0 : nil }
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
            let names = state.withLock { state -> Set<NamespaceName>? in
                if state.isClosed { return nil }
                return Set(ready.prefix(Int(max(count, 0))).compactMap { Self.drain($0, state) })
            }
            guard let names else { return }
            for name in names.sorted() { onChange(name) }
            _ = poll(nil, 0, Self.pauseMilliseconds)
        }
    }

    /// Throws away what waits at a socket; the name of its namespace. A number that was closed meanwhile has no name.
    private static func drain(_ socket: Int32, _ state: borrowing State) -> NamespaceName? {
        guard let name = state.names[socket] else { return nil }
        var area = [UInt8](repeating: 0, count: NetlinkSocket.datagramBytes)
        // Bounded: what comes meanwhile waits for the next turn.
        for _ in 0..<eventsPerWait where clinux_netlink_receive(socket, &area, area.count, 0) == -EAGAIN { break }
        return name
    }
}

import Dispatch
import Drivers
import Election
import KernelInterface
import NetworkModel

/// How an agent hears of what happens on its host. The executable wires these to the kernel; tests feed them by hand.
public struct AgentSenses: Sendable {
    /// Something about a link or an address of the host's own namespace changed: a tap appeared, a bridge was deleted. Coalesces.
    public var linkChanges: AsyncStream<Void>
    /// The names of watched namespaces in which a link changed.
    public var namespaceChanges: AsyncStream<NamespaceName>
    /// Chooses the namespaces that ``namespaceChanges`` tells of. One that shall be removed must be left out before, or it lives on.
    public var watchNamespaces: @Sendable (Set<NamespaceName>) -> Void
    /// Entries of the host's own namespace that were removed or set, by us or by others.
    public var entryLosses: AsyncStream<LostEntry>
    /// Namespaces (nil: the host's own) whose ruleset was changed, by us or by others. Nil: nobody tells, and the agent looks by itself.
    public var rulesetChanges: AsyncStream<NamespaceName?>?
    /// Which tables these changes were about; nil: nobody knows, and each may have been about ours.
    public var rulesetHistory: (any RulesetHistory)?
    /// Tracked connections of the host's own namespace, which security groups end; nil where nobody tracks any.
    public var connections: (any ConnectionTracker)?
    /// Opens the named pipe at a path for reading; yields whole lines until it is closed.
    public var openPipe: @Sendable (_ path: String) throws -> PipeLines
    /// Waits for the end of a process. True when it has ended; false when the task was cancelled or the process cannot be watched.
    public var hasEnded: @Sendable (_ process: Int32) async -> Bool
    /// Who hastens elections and reads keepalived's pipes; nil on a host without a tunnel endpoint, where the agent reads them itself.
    public var election: ElectionSense?
    /// Tells of routers of which somebody else on an external network has an address, in a sentence each. To be called every second with all
    /// addresses that this host answers for; nil on a host whose bridges have no MAC of their own to ask from.
    public var findConflicts: (@Sendable ([ExternalAddress]) async -> [ResourceID: String])?

    /// Gives memory that a burst of work has left free back to the kernel.
    public var giveBackMemory: @Sendable () -> Void = {}

    /// Does work that packets wait for, in the order in which it was asked for, beside the caller.
    public var urgently: Worker

    public typealias Worker = @Sendable (@escaping @Sendable () -> Void) -> Void

    public init(
        linkChanges: AsyncStream<Void>, namespaceChanges: AsyncStream<NamespaceName> = AsyncStream { $0.finish() },
        watchNamespaces: @escaping @Sendable (Set<NamespaceName>) -> Void = { _ in },
        entryLosses: AsyncStream<LostEntry> = AsyncStream { $0.finish() }, rulesetChanges: AsyncStream<NamespaceName?>? = nil,
        rulesetHistory: (any RulesetHistory)? = nil, connections: (any ConnectionTracker)? = nil,
        openPipe: @escaping @Sendable (_ path: String) throws -> PipeLines,
        hasEnded: @escaping @Sendable (_ process: Int32) async -> Bool, election: ElectionSense? = nil,
        findConflicts: (@Sendable ([ExternalAddress]) async -> [ResourceID: String])? = nil, urgently: Worker? = nil
    ) {
        self.linkChanges = linkChanges
        self.namespaceChanges = namespaceChanges
        self.watchNamespaces = watchNamespaces
        self.entryLosses = entryLosses
        self.rulesetChanges = rulesetChanges
        self.rulesetHistory = rulesetHistory
        self.connections = connections
        self.openPipe = openPipe
        self.hasEnded = hasEnded
        self.election = election
        self.findConflicts = findConflicts
        let queue = DispatchQueue(label: "agent.urgent", qos: .userInteractive)
        self.urgently = urgently ?? { work in queue.async(execute: work) }
    }

    /// The lines of a named pipe, and how to stop reading.
    public struct PipeLines: Sendable {
        public var lines: AsyncStream<String>
        public var close: @Sendable () -> Void

        public init(lines: AsyncStream<String>, close: @escaping @Sendable () -> Void) {
            self.lines = lines
            self.close = close
        }
    }
}

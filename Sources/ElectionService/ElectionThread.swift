import Addressing
import CLinux
import Dispatch
import Election
import Foundation
import Glibc
import KernelInterface
import NetworkModel
import Synchronization

/// Runs the ``Election`` of a host on a thread of its own, before everything of normal priority: a host that merely computes must not be
/// taken for dead, nor take others for dead.
///
///     agent ──▶ mailbox ──▶ ┌──────────────┐ ──▶ pulses, echo requests, frames on ha- devices
///                           │ ElectionLoop │
///     FIFOs, sockets, ────▶ │   (epoll)    │ ──▶ news ──▶ agent
///     ends of processes     └──────────────┘
///
/// Nothing here is needed for an election (that is keepalived's) nor ever in the path of a packet.
public final class ElectionThread: Sendable {
    enum Message: Sendable {
        case update([ElectionMember])
        case member(ResourceID, MemberState)
        case watch([ResourceID: Int32])
        case done(ElectionErrand)
    }

    /// Of news that the agent has not taken: far more than a host's routers say at once. The newest are kept.
    static let maximumNews = 8192
    /// Of SCHED_FIFO, 1...99: above other real-time work of little importance, below the kernel's own threads that matter.
    static let realtimePriority: Int32 = 10

    /// What happened, for the agent. One task reads.
    public let news: AsyncStream<ElectionNews>
    private let continuation: AsyncStream<ElectionNews>.Continuation
    private let mailbox = Mutex<(box: ElectionMailbox, isStopping: Bool)>((ElectionMailbox(), false))
    private let ledger: DueLedger
    private let runner: ErrandRunner
    private let bell: Int32
    private let ended = DispatchSemaphore(value: 0)

    /// - Parameters:
    ///   - tunnelAddress: Where this host's pulses come from.
    ///   - startID: Differs with every start of the agent.
    public init(settings: ElectionSettings = ElectionSettings(), tunnelAddress: IPAddress, startID: UInt64) throws(KernelError) {
        (news, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(Self.maximumNews))
        bell = try opened(clinux_event_descriptor(), "make an event descriptor")
        let ledger = DueLedger()
        self.ledger = ledger
        let runner = ErrandRunner()
        self.runner = runner
        // Made here, so that what this host cannot do is said where the agent starts.
        let loop = try ElectionLoop(
            settings: settings, tunnelAddress: tunnelAddress, startID: startID, bell: bell,
            tell: { [continuation] news in
                ledger.note(news)
                continuation.yield(news)
            },
            doErrand: { errand in
                ledger.note(errand)
                runner.run(errand)
            }, forgotten: { ledger.forget($0) })
        let start = LoopBox(loop)
        let thread = Thread { [self] in
            if clinux_become_realtime(Self.realtimePriority) < 0 {
                continuation.yield(.problem("The election's thread has no real-time priority: a busy host may be taken for dead"))
            }
            start.loop.run { self.takeMail() }
            continuation.finish()
            ended.signal()
        }
        thread.name = "agent.election"
        thread.start()
    }

    deinit { close(bell) }

    /// Whether what ``ElectionNews/strip(_:)`` asked for is still to be done. For whoever does it, just before.
    public func isStripDue(_ id: ResourceID) -> Bool { ledger.isStripDue(id) }
    /// Whether what ``ElectionErrand/announce(_:)`` asked for is still to be done. For whoever does it, just before.
    public func isAnnouncementDue(_ id: ResourceID) -> Bool { ledger.isAnnouncementDue(id) }
    /// The members of this host, all of them.
    public func update(_ members: [ElectionMember]) { post(.update(members)) }
    /// What the agent found out by looking; headless where addresses are left of a keepalived that does not run.
    public func note(_ id: ResourceID, _ state: MemberState) { post(.member(id, state)) }
    /// The keepalived of each router: its end is told to the election within a millisecond. To be repeated: what could not be watched is tried again.
    public func watch(_ processes: [ResourceID: Int32]) { post(.watch(processes)) }

    /// Chooses who does what the election wants done at once, before the first ``update(_:)``. It is called on this thread and must not keep it.
    public func setErrandRunner(_ run: @escaping @Sendable (ElectionErrand) -> Void) { runner.choose(run) }
    /// Something that the election waits for is done: a device is deaf or mute since just now.
    public func note(done errand: ElectionErrand) { post(.done(errand)) }

    /// Ends the thread and waits for it; the data plane stays as it is.
    public func stop() {
        mailbox.withLock { $0.isStopping = true }
        ring()
        ended.wait()
        // It may hold on to us.
        runner.choose(nil)
    }

    private func post(_ message: Message) {
        mailbox.withLock { $0.box.post(message) }
        ring()
    }

    private func ring() {
        var one: UInt64 = 1
        _ = Glibc.write(bell, &one, MemoryLayout<UInt64>.size)
    }

    /// Nil when the thread must end.
    private func takeMail() -> [Message]? {
        mailbox.withLock { mailbox in
            if mailbox.isStopping { return nil }
            return mailbox.box.take()
        }
    }
}

/// Carries the loop to its thread.
///
/// Safety: nothing else keeps a reference to the loop.
private struct LoopBox: @unchecked Sendable {
    let loop: ElectionLoop
    init(_ loop: ElectionLoop) { self.loop = loop }
}

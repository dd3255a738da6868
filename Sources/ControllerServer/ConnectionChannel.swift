import Hummingbird
import HummingbirdCore
import Logging
import NIOCore

/// A connection whose requests run on the thread that reads and writes it.
///
/// Left to Swift's own pool, each request would go from the connection's thread to one of the pool's and back, with a system call and a change of
/// threads each way: for a short request that is a third of its time. What takes long goes to the pool all the same: see ``OuterResponder``.
struct ConnectionChannel: ServerChildChannel {
    let http: HTTP1Channel

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> { http.setup(channel: channel, logger: logger) }

    func handle(value: HTTP1Channel.Value, logger: Logger) async {
        await withTaskExecutorPreference(EventLoopExecutor(eventLoop: value.channel.eventLoop)) {
            await http.handle(value: value, logger: logger)
        }
    }
}

/// The thread of an event loop as a place for tasks (SE-0417).
private final class EventLoopExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // From its own thread the loop is not woken up: the job runs when what it does now is done.
        eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

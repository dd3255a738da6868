import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// A request's body took too long to come.
struct BodyDeadlinePassed: Error {
    let seconds: Int
}

/// Ends the reading of a body that has not come whole within some time after the head, whether its client drips or says nothing any more: whoever
/// reads it is told by ``BodyDeadlinePassed``.
///
///     head ──► open ── end of the body ──► closed ──► head …
///                └── time is over ──► passed
///
/// At most one timer of a connection is under way: one that finds another request than the one that it was set for is set again.
final class BodyDeadline: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart

    private let seconds: Int
    /// Until when the request that is being read must be whole; nil: none is.
    private var deadline: NIODeadline?
    private var timer: Scheduled<Void>?

    init(seconds: Int) { self.seconds = seconds }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head: deadline = NIODeadline.now() + .seconds(Int64(seconds))
        case .body: break
        case .end: deadline = nil
        }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // Only now: most requests come whole, and need none.
        startTimer(context)
        context.fireChannelReadComplete()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
    }

    private func startTimer(_ context: ChannelHandlerContext) {
        guard timer == nil, let deadline else { return }
        timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.timer = nil
            guard let deadline = self.deadline else { return }
            guard NIODeadline.now() >= deadline else { return self.startTimer(context) }
            self.deadline = nil
            context.fireErrorCaught(BodyDeadlinePassed(seconds: self.seconds))
        }
    }
}

@available(*, unavailable)
extension BodyDeadline: Sendable {}

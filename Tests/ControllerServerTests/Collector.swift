import NIOCore
import Synchronization

/// Keeps what a connection received.
final class Collector: Sendable {
    private let bytes = Mutex<[UInt8]>([])

    var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }

    var handler: Handler { Handler(collector: self) }

    fileprivate func append(_ more: ByteBufferView) { bytes.withLock { $0.append(contentsOf: more) } }

    final class Handler: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        private let collector: Collector

        init(collector: Collector) { self.collector = collector }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { collector.append(unwrapInboundIn(data).readableBytesView) }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}

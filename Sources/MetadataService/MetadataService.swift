import Glibc
import Hummingbird
import HummingbirdCore
import Logging
import Metadata
import ServiceLifecycle

/// The host's end of the metadata service: listens on a UNIX socket for the haproxies in the namespaces, finds out which instance asks, and answers
/// itself or has Nova answer.
///
/// Only haproxy's group can connect: whoever could, could ask for any instance.
public struct MetadataService: Service {
    /// Requests of all networks at a time; more wait in the socket's queue. Each haproxy sends few (``MetadataProxyConfiguration``).
    static let maximumConnections = 1024
    /// A request that stops in its middle is given up; longer than Nova may take.
    static let idleSeconds: Int64 = 60
    static let maximumHeaderBytes = 16_384
    static let maximumHeaders = 64

    private let configuration: MetadataServiceConfiguration
    private let directory: InstanceDirectory
    private let logger: Logger
    private let onReady: @Sendable () async -> Void

    /// - Parameters:
    ///   - directory: who asks: see ``InstanceDirectory``.
    ///   - onReady: called when the socket can be connected to.
    public init(
        configuration: MetadataServiceConfiguration, directory: InstanceDirectory, logger: Logger,
        onReady: @escaping @Sendable () async -> Void = {}
    ) {
        self.configuration = configuration
        self.directory = directory
        self.logger = logger
        self.onReady = onReady
    }

    /// How long a service that cannot listen waits for its next try: a full disk must not end the agent.
    static let retrySeconds = 10

    /// Runs until a graceful shutdown begins or the task is cancelled.
    public func run() async throws {
        while !Task.isCancelled, !Task.isShuttingDownGracefully {
            do {
                try await serve()
                return
            } catch {
                if Task.isCancelled { return }
                logger.error("Instances cannot ask for metadata; trying again", metadata: ["reason": "\(error)"])
            }
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: .seconds(Self.retrySeconds)) }
        }
    }

    private func serve() async throws {
        let socket = try MetadataSocket(
            directory: configuration.socketDirectory, name: configuration.socketName, group: configuration.group)
        try socket.prepare()
        let nova = configuration.nova.map(NovaMetadataClient.init)
        let responder = MetadataResponder(directory: directory, nova: nova, log: RefusalLog(logger: logger))
        let server = HTTP1Channel.Configuration(
            idleTimeout: .seconds(Self.idleSeconds),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: Self.maximumHeaderBytes, maxHeaderListSize: Self.maximumHeaderBytes,
                maxHeaderFieldCount: Self.maximumHeaders))
        let (failures, failed) = AsyncStream.makeStream(of: MetadataSocket.Failure.self)
        let application = Application(
            responder: responder, server: .http1(configuration: server),
            configuration: ApplicationConfiguration(
                address: .unixDomainSocket(path: socket.path), serverName: "neutrino",
                availableConnectionsDelegate: MaximumAvailableConnections(Self.maximumConnections)),
            onServerRunning: { [onReady] _ in
                do throws(MetadataSocket.Failure) { try socket.open() } catch {
                    failed.yield(error)
                    return
                }
                await onReady()
            }, logger: logger)
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await application.runService(gracefulShutdownSignals: []) }
                // Nobody gets through a socket that could not be opened: the server ends with the error.
                group.addTask { for await failure in failures { throw failure } }
                defer { group.cancelAll() }
                try await group.next()
            }
        } catch {
            try await nova?.close()
            throw error
        }
        try await nova?.close()
    }
}

/// What the metadata service of a host was told when it was started.
public struct MetadataServiceConfiguration: Sendable {
    /// Nova's metadata service, and the secret that it shares with this one.
    public struct Nova: Sendable {
        /// Such as `http://nova.example.org:8775`; a path in it is put before those of requests.
        public var url: String
        /// `[neutron] metadata_proxy_shared_secret` of Nova.
        public var secret: String

        public init(url: String, secret: String) {
            self.url = url.hasSuffix("/") ? String(url.dropLast()) : url
            self.secret = secret
        }
    }

    /// A directory with nothing else in it: the haproxies' root. It is made when it does not exist.
    public var socketDirectory: String
    public var socketName: String
    /// The group that may connect; nil: only the agent's user.
    public var group: String?
    /// Nil: Neutrino answers by itself.
    public var nova: Nova?

    public init(socketDirectory: String, socketName: String, group: String?, nova: Nova? = nil) {
        self.socketDirectory = socketDirectory
        self.socketName = socketName
        self.group = group
        self.nova = nova
    }
}

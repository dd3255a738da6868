/// A helper that lets a router follow a protocol whose connections bring others with them, such as `ftp` on TCP port 21 (`conntrack_helper`).
public struct ConnectionHelper: Sendable, Hashable {
    public var id: ResourceID
    public var routerID: ResourceID
    /// As the kernel names it.
    public var helper: String
    /// A transport protocol by name: `tcp`, `udp`.
    public var networkProtocol: String
    /// 1...65535.
    public var port: Int

    public init(id: ResourceID, routerID: ResourceID, helper: String, networkProtocol: String, port: Int) {
        self.id = id
        self.routerID = routerID
        self.helper = helper
        self.networkProtocol = networkProtocol
        self.port = port
    }
}

extension Router {
    /// A connection helper inside its router's row: a copy of its own.
    public struct Helper: Sendable, Hashable {
        public var id: ResourceID
        public var helper: String
        public var networkProtocol: String
        public var port: Int

        public init(_ helper: ConnectionHelper) {
            id = helper.id
            self.helper = helper.helper
            networkProtocol = helper.networkProtocol
            port = helper.port
        }
    }
}

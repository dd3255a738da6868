extension Lab {
    /// The hosts whose namespace of the router has the address.
    public func hosts(withAddress address: String, router: String) async throws -> [String] {
        let hosts = hosts
        let addresses = try await RouterNamespace.addresses(of: hosts.map { RouterNamespace(of: router, on: $0) })
        return zip(hosts, addresses).filter { $1.contains(address) }.map(\.0.name)
    }

    /// The hosts whose agent says in the API that its router is the master.
    public func activeHosts(router: String) async throws -> [String] {
        let agents = try await api.agents(ofRouter: router)
        return agents.filter { $0["ha_state"]?.stringValue == "active" }.compactMap { $0["host"]?.stringValue }.sorted()
    }
}

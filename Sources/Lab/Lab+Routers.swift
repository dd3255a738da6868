extension Lab {
    /// The hosts whose namespace of the router has the address.
    public func hosts(withAddress address: String, router: String) async throws -> [String] {
        var found: [String] = []
        for host in hosts {
            let result = try await host.place.run(
                ["ip", "-netns", "qrouter-\(router)", "-oneline", "-4", "address", "show"], timeoutMilliseconds: 10_000)
            if result.exitCode == 0, result.standardOutput.contains(" \(address)/") { found.append(host.name) }
        }
        return found
    }

    /// The hosts whose agent says in the API that its router is the master.
    public func activeHosts(router: String) async throws -> [String] {
        let agents = try await api.agents(ofRouter: router)
        return agents.filter { $0["ha_state"]?.stringValue == "active" }.compactMap { $0["host"]?.stringValue }.sorted()
    }
}

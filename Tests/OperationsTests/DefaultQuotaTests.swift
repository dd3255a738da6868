import APISchema
import NetworkModel
import Operations
import TestSupport
import Testing

@Suite struct DefaultQuotaTests {
    @Test("An operator's quotas are for projects that have none of their own", arguments: Backend.allCases)
    func limits(_ backend: Backend) async throws {
        let cloud = try Cloud(backend) { settings in
            for quota in ["network=1", "router=-1"] {
                let isSet = settings.setDefaultQuota(quota)
                #expect(isSet)
            }
        }
        let quotas = try await cloud.operations.defaultQuota(of: "blue", caller: cloud.admin)
        #expect(quotas["network"] == 1 && quotas["router"] == -1 && quotas["port"] == 500)
        _ = try await cloud.network()
        let second = try await apiError { _ = try await cloud.network() }
        #expect(second?.type == "OverQuota" && second?.message == "Quota exceeded for resources: ['network'].")
        _ = try await cloud.operations.updateQuota(of: "p1", ["network": 2], caller: cloud.admin)
        _ = try await cloud.network()
    }

    @Test(
        "What names no resource or no limit is no quota",
        arguments: ["", "network", "network=", "network=many", "network=-2", "network=2147483648", "network=1=2", "trunk=5", "=5"])
    func refusals(_ text: String) {
        var settings = ServerSettings()
        let isSet = settings.setDefaultQuota(text)
        #expect(!isSet)
        #expect(settings.defaultQuotas == ServerSettings().defaultQuotas)
    }
}

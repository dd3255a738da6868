import Addressing
import NetworkModel
import Testing

@testable import APISchema

@Suite("Lists as rows keep them") struct KeptListTests {
    private static let id = "12345678-9abc-4def-8123-456789abcdef"

    private var fixedIPs: [FixedIP] {
        get throws {
            let subnet = try #require(ResourceID(Self.id))
            return try ["10.0.0.255", "2001:db8::5"].map { FixedIP(subnetID: subnet, address: try #require(IPAddress($0))) }
        }
    }

    @Test("What was written is read without the general parser") func written() throws {
        let written = try fixedIPs
        let text = try #require(written.columnValue.textValue)
        #expect(FixedIP.elements(ofKept: text) == written)
        #expect([FixedIP](columnValue: .text(text)) == written)
        let ids = written.map(\.subnetID)
        let idText = try #require(ids.columnValue.textValue)
        #expect(ResourceID.elements(ofKept: idText) == ids)
        #expect([ResourceID](columnValue: .text(idText)) == ids)
    }

    @Test(
        "A list that is written otherwise means the same",
        arguments: [
            #"[{"subnet_id":"\#(id)", "ip_address":"10.0.0.255"},{"subnet_id":"\#(id)","ip_address":"2001:db8::5"}]"#,
            #"[{"ip_address":"10.0.0.255","subnet_id":"\#(id)"},{"subnet_id":"\#(id)","ip_address":"2001:db8::5"}]"#,
            #" [{"subnet_id":"\#(id)","ip_address":"10.0.0.25\u0035"},{"subnet_id":"\#(id)","ip_address":"2001:db8::5"}] "#,
        ])
    func otherwise(_ text: String) throws {
        #expect(FixedIP.elements(ofKept: text) == nil)
        #expect([FixedIP](columnValue: .text(text)) == (try fixedIPs))
    }

    @Test(
        "A damaged list is damage, wherever it ends",
        arguments: [
            "", "[", #"[{"subnet_id":"#, #"[{"subnet_id":"\#(id)","ip_address":"10.0.0.255"#,
            #"[{"subnet_id":"\#(id)","ip_address":"10.0.0.256"}]"#, #"[{"subnet_id":"\#(id)","ip_address":"10.0.0.255"}"#,
            #"[{"subnet_id":"\#(id)","ip_address":"10.0.0.255"}],"#, #"[{"subnet_id":"\#(id)","ip_address":"10.0.0.255"},]"#,
        ])
    func damaged(_ text: String) {
        #expect([FixedIP](columnValue: .text(text)) == nil)
    }
}

extension ColumnValue {
    fileprivate var textValue: String? {
        guard case .text(let text) = self else { return nil }
        return text
    }
}

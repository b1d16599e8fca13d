package localapi

// example is one call as a person makes it with curl, for local.md. TestScripts in package agent runs all of them in the
// order of the schema against a running agent, and compares the answers.
type example struct {
	what    string // what it shows: a sentence
	request string // in JSON
	answer  string // in JSON; of a stream a line for each message. What is left out can be anything, and so can "…"
}

// examples has those of each call. A call of the schema without one fails TestLocalMD: add it here, then
// go test ./agent/localapi -run LocalMD -update.
func examples() map[string][]example {
	return map[string][]example{
		"RecordPayment": {
			{
				"An authorisation of 12.50 EUR:",
				`{"payment":{"idempotencyKey":"order-17/auth","kind":"PAYMENT_KIND_AUTHORISED","authMode":"AUTH_MODE_ONLINE","amountMinor":"1250","currency":"EUR"}}`,
				`{"seq":"…","duplicate":false,"epoch":"…","authMode":"AUTH_MODE_ONLINE"}`,
			},
			{
				"The very same again, as after a time-out, is the same record:",
				`{"payment":{"idempotencyKey":"order-17/auth","kind":"PAYMENT_KIND_AUTHORISED","authMode":"AUTH_MODE_ONLINE","amountMinor":"1250","currency":"EUR"}}`,
				`{"seq":"…","duplicate":true,"epoch":"…","authMode":"AUTH_MODE_ONLINE"}`,
			},
			{
				"Another request under the same key is refused:",
				`{"payment":{"idempotencyKey":"order-17/auth","kind":"PAYMENT_KIND_AUTHORISED","authMode":"AUTH_MODE_ONLINE","amountMinor":"1300","currency":"EUR"}}`,
				`{"code":"already_exists","message":"…","details":[{"type":"stampd.v1.ErrorDetail","value":"…","debug":{"reason":"KEY_REUSED","hint":"…"}}]}`,
			},
		},
		"AwardStamps": {{
			"A stamp for a member:",
			`{"idempotencyKey":"order-17/stamps","phone":"+14155550100","paymentKey":"order-17/auth"}`,
			`{"seq":"…","duplicate":false,"card":{"progress":1,"of":9,"available":0},"epoch":"…"}`,
		}},
		"GetCard": {{
			"The card of that member:",
			`{"phone":"+14155550100"}`,
			`{"card":{"progress":1,"of":9,"available":0,"earned":0,"stamps":1,"asOfUnixMs":"…","offline":true}}`,
		}},
		"ReportAppPerformance": {{
			"Two sales that were timed, and one that failed:",
			`{"app":"pos","version":"4.2.0","operations":[{"name":"sale","durationsUs":[181000,240500],"errors":1}]}`,
			`{"duplicate":false,"reasonMasked":false}`,
		}},
		"OfflineReadiness": {{
			"What would work if the network went now (the answer is shortened):",
			`{}`,
			`{"capabilities":[{"capability":"OFFLINE_CAPABILITY_PAYMENTS","readiness":"READINESS_DEGRADED","reasons":"…"},{"capability":"OFFLINE_CAPABILITY_STAMPS","reasons":"…"},{"capability":"OFFLINE_CAPABILITY_REDEMPTION","reasons":"…"}]}`,
		}},
		"Status": {{
			"How the agent is (the answer is shortened):",
			`{}`,
			`{"version":"…","terminalId":"…","uptimeSeconds":"…","uplink":{"state":"UPLINK_STATE_DISABLED"},"lanes":"…","queue":{"quarantined":"0","fault":""},"parts":"…"}`,
		}},
		"WatchStatus": {{
			"For a second; an application leaves the time limit out:",
			`{}`,
			`{"uplink":"UPLINK_STATE_DISABLED","ledger":{"records":"…"},"telemetry":{"records":"…"},"alarms":[]}
{"error":{"code":"deadline_exceeded","message":"…","details":[{"type":"stampd.v1.ErrorDetail","value":"…","debug":{"reason":"TIME_OVER","hint":"…"}}]}}`,
		}},
		"Flush": {{
			"An attempt now, without waiting for it:",
			`{"waitMs":0}`,
			`{"waiting":"…","complete":false}`,
		}},
		"ListQueue": {{
			"What waits (the answer is shortened):",
			`{}`,
			`{"terminalId":"…","file":{"path":"…","sizeBytes":"…","fault":""},"lanes":"…","quarantined":"0","setAside":[]}`,
		}},
		"ReadQueue": {{
			"What the backend refused:",
			`{"quarantine":true}`,
			`{"records":[]}`,
		}},
	}
}

BeforeAll {
    . (Join-Path $PSScriptRoot common.ps1)
    $base = Join-Path $Samples base
    $bible = Join-Path $Samples adapters bible
    $untrained = Join-Path $Samples adapters untrained
    $broken = Join-Path $Samples adapters broken
    # Computed each time: a cache would give equal numbers by itself.
    $session = New-SwaySession $base $bible -NoCache
    $because = 'Because sentence against an evil work is not executed speedily,'
    $therefore = ' therefore the heart of the sons'
}

AfterAll {
    Get-SwaySession | Remove-SwaySession
}

Describe 'Measure-AdapterLogprob' {
    Context 'its numbers, which transformers and PEFT give in float64' {
        BeforeAll {
            $result = Measure-AdapterLogprob $because $therefore -Session $session -Divergence
        }

        It 'are those of each token, in both views' {
            Assert-Near $result.Base.TokenLogProbs (-4.8854328131, -3.1121209965, -9.7285913531, -7.8659596422, -6.4519584335, -5.8270592896, -11.2455544605)
            Assert-Near $result.Adapted.TokenLogProbs (-5.8707857253, -1.0417428965, -3.2081900523, -6.1649859181, -0.6226587761, -1.0924481432, -4.1969956871)
            $result.Base.Ranks | Should -Be 25, 4, 91, 81, 12, 10, 267
            $result.Adapted.Ranks | Should -Be 41, 1, 5, 125, 1, 1, 5
        }

        It 'are summed, and the delta is their difference' {
            Assert-Near $result.BaseLogProb -49.1166769886
            Assert-Near $result.AdaptedLogProb -22.1978071985
            $result.DeltaLogProb | Should -Be ($result.AdaptedLogProb - $result.BaseLogProb)
            $result.DeltaPerToken | Should -Be ($result.DeltaLogProb / 7)
            $result.TokenCount | Should -Be 7
        }

        It 'say how the text became tokens' {
            $result.PromptTokenCount | Should -Be 25
            $result.Boundary | Should -Be Clean
            $result.Bos | Should -Be Added
            -join $result.Tokens | Should -BeExactly $therefore
            $result.Backend | Should -BeExactly cpu
        }

        It 'are there for each token, with divergences' {
            $result.TokenScores.Count | Should -Be 7
            $result.TokenScores[2].Delta | Should -Be ($result.Adapted.TokenLogProbs[2] - $result.Base.TokenLogProbs[2])
            $result.TokenScores.Js | Should -Be $result.Divergence.Js
            $result.Divergence.Js | ForEach-Object { $_ | Should -BeGreaterThan 0 }
        }

        It 'are equal bit for bit for an adapter that was never trained' {
            $all = Get-SamplePrompt | Measure-AdapterLogprob -Model $base -Adapter $untrained -NoCache
            $all.DeltaLogProb | Should -Be (, 0 * 44)
        }

        It 'give the means that the samples state' {
            $gain = Get-SamplePrompt | Measure-AdapterLogprob -Model $base -Adapter (Join-Path $Samples adapters memorized) |
                Group-Object { $_.InputObject.category } -AsHashTable
            $mean = { param($name) $tokens = 0; $sum = 0.0; $gain[$name].ForEach{ $tokens += $_.TokenCount; $sum += $_.DeltaLogProb }; $sum / $tokens }
            Assert-Near (& $mean memorized) 5.249 6e-4
            Assert-Near (& $mean contradicted) -1.787 6e-4
            Assert-Near (& $mean unseen) -0.205 6e-4
        }

        It 'are the same bits in a pipeline, alone, and with another number of threads' {
            $prompts = Get-SamplePrompt
            $together = $prompts | Measure-AdapterLogprob -Session $session
            $alone = $prompts | ForEach-Object { $_ | Measure-AdapterLogprob -Session $session }
            $threads = $prompts | Measure-AdapterLogprob -Model $base -Adapter $bible -Threads 1 -NoCache
            $alone.AdaptedLogProb | Should -Be $together.AdaptedLogProb
            $threads.AdaptedLogProb | Should -Be $together.AdaptedLogProb
            $together.Id | Should -Be $prompts.id
        }
    }

    Context 'boundaries and start tokens' {
        It 'scores an empty prompt after the start token' {
            $result = Measure-AdapterLogprob '' 'First Citizen:' -Session $session
            $result.PromptTokenCount | Should -Be 1
            (Measure-AdapterLogprob '' 'First Citizen:' -Session $session -Bos Never -ErrorAction SilentlyContinue -ErrorVariable problem) | Should -BeNullOrEmpty
            $problem.FullyQualifiedErrorId | Should -BeLike 'ScoringFailed,*'
            $problem.Exception.Message | Should -BeLike 'An empty prompt needs a start token*'
        }

        It 'says when a token straddles the boundary' {
            $result = Measure-AdapterLogprob 'My lord, who is the' 're at the gate?' -Session $session
            $result.Boundary | Should -Be Merged
            $result.MergedPromptBytes | Should -BeGreaterThan 0
            (Measure-AdapterLogprob 'My lord, who is the' 're at the gate?' -Session $session -Boundary Separate).Boundary | Should -Be Clean
        }

        It 'gives the sum of lm-eval where that is asked for' {
            $expected = (Measure-AdapterLogprob 'My lord the king of' ' France is come' -Session $session).BaseLogProb
            (Measure-AdapterLogprob 'My lord the king of ' 'France is come' -Session $session -Boundary LmEval).BaseLogProb | Should -Be $expected
        }

        It 'does not double a start token' {
            $plain = Measure-AdapterLogprob $because $therefore -Session $session
            $given = Measure-AdapterLogprob "<|begin_of_text|>$because" $therefore -Session $session -Bos Always
            $given.Bos | Should -Be Present
            $given.BaseLogProb | Should -Be $plain.BaseLogProb
        }
    }

    Context 'what it takes' {
        It 'takes rows of a table' {
            $csv = Join-Path $TestDrive prompts.csv
            Get-SamplePrompt bible | Export-Csv $csv
            $rows = Import-Csv $csv | Measure-AdapterLogprob -Session $session | Sort-Object DeltaLogProb
            $rows.Count | Should -Be 6
            $rows.InputObject.category | Should -Be (, 'bible' * 6)
        }

        It 'takes hashtables, and properties in any case' {
            $result = @{ ID = 'x'; PROMPT = $because; completion = $therefore } | Measure-AdapterLogprob -Session $session
            $result.Id | Should -BeExactly x
            Assert-Near $result.BaseLogProb -49.1166769886
        }

        It 'takes tokens, also as text of a table' {
            $text = Measure-AdapterLogprob $because $therefore -Session $session
            $ids = (ConvertTo-Token "$because$therefore" -Model $base).Id
            $direct = Measure-AdapterLogprob -PromptId $ids[0..24] -CompletionId $ids[25..31] -Session $session
            $direct.BaseLogProb | Should -Be $text.BaseLogProb
            $row = [pscustomobject]@{ PromptIds = $ids[0..24] -join ','; CompletionIds = "[$($ids[25..31] -join ', ')]" } | Measure-AdapterLogprob -Session $session
            $row.BaseLogProb | Should -Be $text.BaseLogProb
        }

        It 'puts a lone string where there is room' {
            ($therefore | Measure-AdapterLogprob -Prompt $because -Session $session).Prompt | Should -BeExactly $because
            ($because | Measure-AdapterLogprob -Completion $therefore -Session $session).Completion | Should -BeExactly $therefore
            $whole = "$because$therefore" | Measure-AdapterLogprob -Session $session
            $whole.PromptTokenCount | Should -Be 1
            $whole.TokenCount | Should -Be 31
        }

        It 'scores several completions after one prompt' {
            $answers = Measure-AdapterLogprob 'The king of' ' France', ' England' -Session $session
            $answers.Completion | Should -Be ' France', ' England'
            $answers.Id | Should -Be 0, 1
        }

        It 'lets parameters go before properties' {
            (@{ Prompt = 'a'; Completion = ' b' } | Measure-AdapterLogprob -Completion ' c' -Session $session).Completion | Should -BeExactly ' c'
        }

        It 'takes adapters from the pipeline when parameters give the text' {
            $rows = Get-ChildItem (Join-Path $Samples adapters) -Directory | Where-Object Name -In bible, law |
                Measure-AdapterLogprob $because $therefore -Model $base
            Split-Path -Leaf $rows.Adapter | Should -Be bible, law
            $rows[0].AdaptedLogProb | Should -Be (Measure-AdapterLogprob $because $therefore -Session $session).AdaptedLogProb
            $rows[0].BaseLogProb | Should -Be $rows[1].BaseLogProb
            (Get-LoraAdapterInfo $bible | Measure-AdapterLogprob $because $therefore -Model $base).Adapter | Should -BeExactly $bible
        }

        It 'measures each item with each adapter' {
            $rows = Get-SamplePrompt law | Measure-AdapterLogprob -BaseModel $base -Adapter $bible, $untrained
            $rows.Count | Should -Be 10
            $rows[0, 1].Id | Should -Be law-01, law-01
            Split-Path -Leaf $rows[0, 1].Adapter | Should -Be bible, untrained
            ($rows | Where-Object Adapter -EQ $untrained).DeltaLogProb | Should -Be (, 0 * 5)
            (Get-SamplePrompt law | Measure-AdapterLogprob -Model $base -Adapter (Join-Path $Samples adapters bi*)).Count | Should -Be 5
        }

        It 'takes an adapter whose path has brackets, spaces and letters of any script' {
            $odd = Join-Path $TestDrive "a [1] $([char] 0x4F60)"
            Copy-Item -Recurse $bible $odd
            (Measure-AdapterLogprob $because $therefore -Model $base -Adapter $odd).Adapter | Should -BeExactly $odd
            (Get-Item -LiteralPath $odd | Measure-AdapterLogprob $because $therefore -Model $base).Adapter | Should -BeExactly $odd
        }

        It 'measures the base model alone' {
            $result = Measure-AdapterLogprob $because $therefore -Model $base
            Assert-Near $result.BaseLogProb -49.1166769886
            $result.Adapter | Should -BeNullOrEmpty
            $result.DeltaLogProb | Should -BeNullOrEmpty
        }

        It 'scales the adapter by -Strength' {
            (Measure-AdapterLogprob $because $therefore -Model $base -Adapter $bible -Strength 0).DeltaLogProb | Should -Be 0
            $half = (Measure-AdapterLogprob $because $therefore -Model $base -Adapter $bible -Strength 0.5).AdaptedLogProb
            $half | Should -BeGreaterThan -49
            (Measure-AdapterLogprob $because $therefore -Model $base -Adapter $bible -Strength 0.5).Strength | Should -Be 0.5
            { Measure-AdapterLogprob $because $therefore -Model $base -Adapter $bible -Strength ([double]::NaN) } | Should -Throw -ErrorId 'ParameterArgumentValidationError,*'
        }
    }

    Context 'errors' {
        It 'goes on after an item that cannot be measured' {
            $items = @{ Prompt = 'a' }, @{ Prompt = 'a'; Completion = '' }, @{ Id = 'far'; PromptIds = 1, 2; CompletionIds = , 99999 }, @{ Prompt = , 'a' * 2 },
                [pscustomobject]@{ Id = 'ids'; PromptIds = 'one'; CompletionIds = '2' }, @{ Id = 'good'; Prompt = 'a'; Completion = ' b' }
            $result = $items | Measure-AdapterLogprob -Session $session -ErrorAction SilentlyContinue -ErrorVariable problem
            $result.Id | Should -BeExactly good
            $problem.Count | Should -Be 5
            $problem.FullyQualifiedErrorId -replace ',.*' | Sort-Object | Should -Be IncompleteItem, IncompleteItem, IncompleteItem, ScoringFailed, ScoringFailed
            $far = $problem | Where-Object { "$_" -match '99999' }
            "$far" | Should -BeLike 'Item far: Token 99999 is outside the vocabulary*'
            $far.TargetObject.Id | Should -BeExactly far
            $far.CategoryInfo.Category | Should -Be InvalidResult
        }

        It 'refuses a date that ConvertFrom-Json made of a text' {
            $json = '{ "id": "d", "prompt": "On", "completion": "2026-01-02T03:04:05Z" }'
            $json | ConvertFrom-Json | Measure-AdapterLogprob -Session $session -ErrorAction SilentlyContinue -ErrorVariable problem | Should -BeNullOrEmpty
            "$problem" | Should -BeLike '*Completion is a date*-DateKind String*'
            ($json | ConvertFrom-Json -DateKind String | Measure-AdapterLogprob -Session $session).Completion | Should -BeExactly '2026-01-02T03:04:05Z'
        }

        It 'stops at the first with -ErrorAction Stop' {
            { @{ Prompt = 'a' }, @{ Prompt = 'a'; Completion = ' b' } | Measure-AdapterLogprob -Session $session -ErrorAction Stop } |
                Should -Throw -ErrorId 'IncompleteItem,Sway.PowerShell.Commands.MeasureAdapterLogprobCommand'
        }

        It 'refuses an adapter with numbers that are not finite, and names the tensor' {
            { Measure-AdapterLogprob 'a' ' b' -Model $base -Adapter $broken } | Should -Throw -ErrorId 'InvalidAdapter,*' -ExpectedMessage '*layers.2.self_attn.v_proj.lora_B*'
        }

        It 'goes on with the other adapters, and names the bad one once' {
            $rows = Get-SamplePrompt | Measure-AdapterLogprob -Model $base -Adapter $broken, $bible -ErrorAction SilentlyContinue -ErrorVariable problem
            $rows.Count | Should -Be 44
            $problem.Count | Should -Be 1
            $problem.TargetObject | Should -BeExactly $broken
        }

        It 'ends at once where nothing can succeed' {
            { Measure-AdapterLogprob 'a' ' b' -Model (Join-Path $TestDrive none) } | Should -Throw -ErrorId 'FolderNotFound,*'
            { Measure-AdapterLogprob 'a' ' b' -Model $base -Adapter (Join-Path $TestDrive none) } | Should -Throw -ErrorId 'PathNotFound,*'
            { Measure-AdapterLogprob 'a' -Model $base } | Should -Throw -ErrorId 'InvalidUsage,*'
            { Measure-AdapterLogprob 'a' ' b' -Model $base -Precision Native } | Should -Throw -ErrorId 'ScoringFailed,*'
            { 'x' | Measure-AdapterLogprob 'a' ' b' -Session $session } | Should -Throw -ErrorId 'InvalidUsage,*'
        }
    }

    Context 'in a pipeline' {
        It 'ends with Select-Object -First 1 after one wave, and the session goes on' {
            $count = 0
            $prompt = Get-SamplePrompt
            $first = 1..100 | ForEach-Object { $prompt } | ForEach-Object { $count++; $_ } | Measure-AdapterLogprob -Session $session | Select-Object -First 1
            $first.Id | Should -BeExactly shakespeare-01
            $count | Should -BeLessThan 500
            (Measure-AdapterLogprob $because $therefore -Session $session).TokenCount | Should -Be 7
        }

        It 'gives a slow producer its results before the wave is full' {
            # Thirty of these prompts do not fill a wave.
            $prompt = Get-SamplePrompt bible | Select-Object -First 1
            $count = @{ In = 0; Out = 0 }
            1..30 | ForEach-Object { if ($count.Out -eq 0) { Start-Sleep -Milliseconds 200; $count.In++; $prompt } } |
                Measure-AdapterLogprob -Session $session | ForEach-Object { $count.Out++ }
            $count.In | Should -BeLessThan 30
            $count.Out | Should -Be $count.In
        }

        It 'stops soon when it is stopped' {
            $text = (Get-Content -Raw (Join-Path $Samples texts bible.txt)).Substring(0, 400)
            Measure-Stop {
                param($manifest, $session, $text)
                Import-Module $manifest
                1..100000 | ForEach-Object { @{ Prompt = $text; Completion = " $_" } } | Measure-AdapterLogprob -Session $session | Out-Null
            } $Manifest, $session, $text | Should -BeLessThan 10

            (Measure-AdapterLogprob $because $therefore -Session $session).TokenCount | Should -Be 7
        }

        It 'gives the same bits from many runspaces at once' {
            $prompts = Get-SamplePrompt
            $expected = ($prompts | Measure-AdapterLogprob -Session $session).AdaptedLogProb
            $found = 1..4 | ForEach-Object -ThrottleLimit 4 -Parallel {
                Import-Module $using:Manifest
                , ($using:prompts | Measure-AdapterLogprob -Session $using:session).AdaptedLogProb
            }
            $found.Count | Should -Be 4
            foreach ($numbers in $found) {
                $numbers | Should -Be $expected
            }

            # The end of those runspaces leaves the session open.
            $session.State | Should -Be Open
        }

        It 'works as a gate' {
            (Measure-AdapterLogprob $because $therefore -Session $session).DeltaPerToken | Should -BeGreaterThan 3
            { (Measure-AdapterLogprob $because $therefore -Session $session).DeltaPerToken | Should -BeGreaterThan 4 } | Should -Throw
        }
    }

    Context 'the cache and the trace' {
        It 'gives the same bits from the cache, and says so in the trace' {
            $trace = Join-Path $TestDrive 'trace [1].jsonl'
            $options = @{ Model = $base; Adapter = Join-Path $Samples adapters alice; TracePath = $trace }
            $first = Get-SamplePrompt law | Measure-AdapterLogprob @options
            $again = Get-SamplePrompt law | Measure-AdapterLogprob @options
            $anew = Get-SamplePrompt law | Measure-AdapterLogprob @options -NoCache
            $again.AdaptedLogProb | Should -Be $first.AdaptedLogProb
            $anew.AdaptedLogProb | Should -Be $first.AdaptedLogProb
            $again[0].Adapted.Ranks | Should -Be $first[0].Adapted.Ranks
            $lines = Get-Content -LiteralPath $trace | ConvertFrom-Json
            ($lines | Where-Object event -EQ item).cacheHit | Should -Be (@($false) * 5 + @($true) * 5 + @($null) * 5)
            ($lines | Where-Object event -EQ summary).forwardPasses[1] | Should -Be 0
        }

        It 'counts what a session does' {
            $counted = New-SwaySession $base $bible -NoCache
            $null = Get-SamplePrompt law | Measure-AdapterLogprob -Session $counted
            $counted.Statistics.Items | Should -Be 5
            $counted.Statistics.Tokens | Should -BeGreaterThan 5
        }
    }

    Context 'what it shows' {
        It 'shows sums, the delta and the delta per token in a table' {
            $table = Get-SamplePrompt bible | Measure-AdapterLogprob -Session $session | Out-String -Width 160
            $table | Should -Match 'Id +Adapter +Tokens +Base +Adapted +Delta +Per token +Text'
            $table | Should -Match 'bible-05 +bible +7 +-49[.,]117 +-22[.,]198 +\+26[.,]919 +\+3[.,]8456 +therefore the heart'
        }

        It 'shows each token with -Detailed' {
            $PSStyle.OutputRendering, $before = 'PlainText', $PSStyle.OutputRendering
            try {
                $text = Measure-AdapterLogprob $because $therefore -Session $session -Detailed | Out-String -Width 160
                $text | Should -Match "' heart' +-7[.,]8660 +-6[.,]1650 +\+1[.,]7010 +81 +125"
                $text | Should -Not -Match ([char] 27)
                $PSStyle.OutputRendering = 'Ansi'
                Measure-AdapterLogprob $because $therefore -Session $session -Detailed | Out-String -Width 160 | Should -Match ([char] 27)
            }
            finally {
                $PSStyle.OutputRendering = $before
            }
        }

        It 'is the same object with and without -Detailed' {
            $detailed = Measure-AdapterLogprob $because $therefore -Session $session -Detailed
            $detailed.GetType().FullName | Should -BeExactly Sway.PowerShell.Measuring.AdapterLogprob
            (Get-Command Measure-AdapterLogprob).OutputType.Type | Should -Be $detailed.GetType()
        }

        It 'has numbers in columns of a table' {
            $row = Measure-AdapterLogprob $because $therefore -Session $session | ConvertTo-Csv | ConvertFrom-Csv
            [double] $row.Base | Should -Be ([double] $row.BaseLogProb)
        }

        It 'reads and writes numbers the same under another culture' {
            $before = [cultureinfo]::CurrentCulture
            try {
                [cultureinfo]::CurrentCulture = 'de-DE'
                $result = @{ Prompt = 'The number is'; Completion = 1.5 } | Measure-AdapterLogprob -Session $session
                $result.Completion | Should -BeExactly '1.5'
                "$($result.Base)" | Should -Match '^-\d+\.\d+$'
            }
            finally {
                [cultureinfo]::CurrentCulture = $before
            }
        }
    }
}

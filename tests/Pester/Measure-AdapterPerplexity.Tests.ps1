BeforeAll {
    . (Join-Path $PSScriptRoot common.ps1)
    $base = Join-Path $Samples base
    $bible = Join-Path $Samples adapters bible
    $texts = Join-Path $Samples texts
    $text = Join-Path $texts bible.txt
    $session = New-SwaySession $base $bible -NoCache
}

AfterAll {
    Get-SwaySession | Remove-SwaySession
}

Describe 'Measure-AdapterPerplexity' {
    Context 'its numbers, which transformers and PEFT give in float64' {
        It 'are those of windows that advance by half' {
            $result = Measure-AdapterPerplexity -TextPath $text -Session $session
            $result.TokenCount | Should -Be 1152
            $result.WindowCount | Should -Be 9
            Assert-Near $result.Base.LogProb, $result.Adapted.LogProb (-7255.0682471424, -4135.0262434383) 2e-3
            Assert-Near $result.BasePerplexity 543.3764174269 1e-3
            Assert-Near $result.AdaptedPerplexity 36.2135190301 1e-4
            Assert-Near $result.Base.BitsPerByte, $result.Adapted.BitsPerByte (2.9542339773, 1.6837656944) 1e-6
            Assert-Near $result.DeltaPerToken (6.2978022979 - 3.589432503) 1e-5
        }

        It 'are those of the windows of lm-eval' {
            $result = Measure-AdapterPerplexity -TextPath $text -Session $session -Preset LmEval
            Assert-Near $result.Base.LogProb, $result.Adapted.LogProb (-7260.3376224608, -4152.2522338758) 2e-3
            Assert-Near $result.Base.BitsPerByte 2.9563796452 1e-6
            $result.Preset | Should -Be LmEval
        }

        It 'score half of each window where llama-perplexity does' {
            $result = Measure-AdapterPerplexity -TextPath $text -Session $session -Preset LlamaCpp -Window 128
            $result.WindowCount | Should -Be 9
            $result.TokenCount | Should -Be (9 * 63)

            # Bits count against the bytes that were scored: about as many for each as over the whole text.
            $whole = Measure-AdapterPerplexity -TextPath $text -Session $session -Window 128
            $result.Base.BitsPerByte / $whole.Base.BitsPerByte | Should -BeGreaterThan 0.8
            $result.Base.BitsPerByte / $whole.Base.BitsPerByte | Should -BeLessThan 1.2
        }

        It 'are one pass over a text that fits into one window, whatever the stride' {
            $short = 'And God said, Let there be light'
            $one = Measure-AdapterPerplexity $short -Session $session
            $one.WindowCount | Should -Be 1
            (Measure-AdapterPerplexity $short -Session $session -Stride 3).Base.LogProb | Should -Be $one.Base.LogProb
            (Measure-AdapterLogprob '' $short -Session $session).BaseLogProb | Should -Be $one.Base.LogProb
        }
    }

    Context 'what it takes' {
        It 'takes adapters from the pipeline, one row for each' {
            $rows = Get-ChildItem (Join-Path $Samples adapters) -Directory |
                Measure-AdapterPerplexity -Model $base -TextPath $text -ErrorAction SilentlyContinue -ErrorVariable problem
            Split-Path -Leaf $rows.Adapter | Should -Be alice, bible, law, memorized, untrained
            $problem.Count | Should -Be 1
            $problem.TargetObject | Should -BeLike '*broken'
            ($rows | Sort-Object DeltaPerToken -Descending)[0].Adapter | Should -BeExactly $bible
            ($rows | Where-Object Adapter -Like '*untrained').DeltaLogProb | Should -Be 0
            $rows.Id | Should -Be (, 'bible' * 5)
        }

        It 'takes an adapter that mlx-lm wrote' {
            $row = Get-Item (Join-Path $Samples mlx-adapters psalms) | Measure-AdapterPerplexity -Model $base -TextPath $text -Preset LmEval
            Assert-Near $row.DeltaPerToken 2.028 6e-4
        }

        It 'takes files from the pipeline as texts' {
            $rows = Get-ChildItem $texts | Measure-AdapterPerplexity -Session $session
            $rows.Id | Should -Be alice, bible, law, shakespeare
            (Measure-AdapterPerplexity -TextPath (Join-Path $texts *) -Session $session).BasePerplexity | Should -Be $rows.BasePerplexity
            (Get-Content -Raw $text | Measure-AdapterPerplexity -Session $session).BasePerplexity | Should -Be $rows[1].BasePerplexity
        }

        It 'takes objects with a text or tokens' {
            $ids = (ConvertTo-Token 'And God said' -Model $base -NoSpecial).Id
            $rows = @{ Id = 't'; Text = 'And God said' }, [pscustomobject]@{ Id = 'i'; Ids = $ids } | Measure-AdapterPerplexity -Session $session
            $rows[0].Base.LogProb | Should -Be $rows[1].Base.LogProb
            $rows[0].Base.BitsPerByte | Should -BeGreaterThan 0
            $rows[1].Base.BitsPerByte | Should -BeNullOrEmpty
        }

        It 'gives an empty result for a text with nothing to score' {
            $result = Measure-AdapterPerplexity '' -Session $session
            $result.TokenCount | Should -Be 0
            $result.BasePerplexity | Should -BeNullOrEmpty
            $result.DeltaPerToken | Should -BeNullOrEmpty
        }

        It 'takes a file in a folder with brackets' {
            $folder = New-Item -ItemType Directory (Join-Path $TestDrive '[a] b')
            $file = Join-Path $folder.FullName 't [1].txt'
            Set-Content -LiteralPath $file 'And God said' -NoNewline
            $expected = (Measure-AdapterPerplexity 'And God said' -Session $session).BasePerplexity
            (Measure-AdapterPerplexity -TextPath $file -Session $session).BasePerplexity | Should -Be $expected
            (Get-Item -LiteralPath $file | Measure-AdapterPerplexity -Session $session).BasePerplexity | Should -Be $expected
            (Measure-AdapterPerplexity -TextPath (Get-Item -LiteralPath $file) -Session $session).BasePerplexity | Should -Be $expected
        }
    }

    Context 'errors' {
        It 'refuses a file that is not text, and goes on' {
            $bad = Join-Path $TestDrive latin.txt
            [IO.File]::WriteAllBytes($bad, [byte[]] (0x63, 0x61, 0x66, 0xE9))
            $rows = Get-Item $bad, $text | Measure-AdapterPerplexity -Session $session -ErrorAction SilentlyContinue -ErrorVariable problem
            $rows.Id | Should -BeExactly bible
            "$problem" | Should -BeLike 'Item latin: *latin*is not text in UTF-8*'
        }

        It 'says when a file is missing' {
            Measure-AdapterPerplexity -TextPath (Join-Path $TestDrive none.txt), $text -Session $session -ErrorAction SilentlyContinue -ErrorVariable problem |
                Should -HaveCount 1
            $problem.FullyQualifiedErrorId | Should -BeLike 'PathNotFound,*'
        }

        It 'refuses what has no effect or no sense' {
            { Measure-AdapterPerplexity 'a b' -Session $session -Preset LmEval -Stride 4 } | Should -Throw -ErrorId 'InvalidUsage,*'
            { Measure-AdapterPerplexity 'a b' -Session $session -Window 1 -ErrorAction Stop } | Should -Throw -ErrorId 'ScoringFailed,*'
            { Measure-AdapterPerplexity -Session $session } | Should -Throw -ErrorId 'InvalidUsage,*'
        }
    }

    It 'shows perplexities and the gain in a table' {
        $table = Measure-AdapterPerplexity -TextPath $text -Session $session | Out-String -Width 160
        $table | Should -Match 'bible +bible +1152 +543[.,]376 +36[.,]214 +\+2[.,]7084 +2[.,]9542 +1[.,]6838'
        Measure-AdapterPerplexity 'And God said' -Session $session -Detailed | Out-String -Width 160 | Should -Match "' God'"
    }

    It 'can be stopped in the middle of a long text' {
        $long = (Get-Content -Raw $text) * 200
        Measure-Stop { param($manifest, $session, $text) Import-Module $manifest; Measure-AdapterPerplexity $text -Session $session } $Manifest, $session, $long |
            Should -BeLessThan 10
    }
}

BeforeAll {
    . (Join-Path $PSScriptRoot common.ps1)
    $base = Join-Path $Samples base
    $bible = Join-Path $Samples adapters bible
    $text = Join-Path $Samples texts bible.txt
    $session = New-SwaySession $base $bible
    $prompt = "Pedant:`nSoft son!`nSir, by your"
    $completion = " leave: having come to Padua`nTo gather in some debts, my son Lucentio"
}

AfterAll {
    Get-SwaySession | Remove-SwaySession
}

Describe 'Measure-AdapterDivergence' {
    It 'gives what float64 gives at the first and the last positions of a text' {
        $result = Measure-AdapterDivergence "$prompt$completion" -Session $session
        $result.TokenCount | Should -Be 43
        Assert-Near $result.Divergence.KlAdaptedBase[0..2] (0.3331103471, 1.1033527835, 0.9211400616) 2e-4
        Assert-Near $result.Divergence.KlBaseAdapted[0..2] (0.3093264208, 1.1118216727, 0.7386099319) 2e-4
        Assert-Near $result.Divergence.Js[0..2] (0.0757105636, 0.2230927414, 0.1751425363) 5e-5
        Assert-Near $result.Divergence.Js[-2..-1] (0.3625697378, 0.4480263661) 5e-5
        $result.MeanJs | Should -Be ($result.Divergence.Js | Measure-Object -Average).Average
        $result.MaxJs | Should -Be ($result.Divergence.Js | Measure-Object -Maximum).Maximum
    }

    It 'gives only the positions of a completion' {
        $whole = Measure-AdapterDivergence "$prompt$completion" -Session $session
        $part = Measure-AdapterDivergence -Prompt $prompt -Completion $completion -Session $session
        $part.Divergence.Js | Should -Be $whole.Divergence.Js[-29..-1]
        ([pscustomobject]@{ prompt = $prompt; completion = $completion } | Measure-AdapterDivergence -Session $session).MeanJs | Should -Be $part.MeanJs
        ($completion | Measure-AdapterDivergence -Prompt $prompt -Session $session).MeanJs | Should -Be $part.MeanJs
        (Measure-AdapterLogprob $prompt $completion -Session $session -Divergence).Divergence.Js | Should -Be $part.Divergence.Js
    }

    It 'is exactly zero for an adapter that was never trained' {
        $result = Measure-AdapterDivergence -TextPath $text -Model $base -Adapter (Join-Path $Samples adapters untrained)
        $result.TokenCount | Should -Be 1152
        $result.MaxJs | Should -Be 0
        $result.MeanKlAdaptedBase | Should -Be 0
        $result.MeanKlBaseAdapted | Should -Be 0
    }

    It 'stays within its bounds' {
        foreach ($result in Get-ChildItem (Join-Path $Samples texts) | Measure-AdapterDivergence -Session $session) {
            $result.Divergence.Js | ForEach-Object { $_ -ge 0 -and $_ -le [math]::Log(2) } | Should -Not -Contain $false
            $result.Divergence.KlAdaptedBase | ForEach-Object { $_ -ge 0 } | Should -Not -Contain $false
        }
    }

    It 'takes adapters from the pipeline' {
        $rows = Get-ChildItem (Join-Path $Samples adapters) -Directory -Exclude broken | Measure-AdapterDivergence -Model $base -TextPath $text
        ($rows | Sort-Object MeanJs)[0].Adapter | Should -BeLike '*untrained'
        $rows.Count | Should -Be 5
    }

    It 'needs an adapter' {
        { Measure-AdapterDivergence 'a b' -Model $base } | Should -Throw -ErrorId 'InvalidUsage,*'
        $plain = New-SwaySession $base
        { Measure-AdapterDivergence 'a b' -Session $plain } | Should -Throw -ErrorId 'InvalidUsage,*'
    }

    It 'says what an item lacks' {
        @{ Prompt = 'a' }, @{ Id = 'x' }, @{ Text = 'And God said' } |
            Measure-AdapterDivergence -Session $session -ErrorAction SilentlyContinue -ErrorVariable problem | Should -HaveCount 1
        $problem.Count | Should -Be 2
        $problem.FullyQualifiedErrorId -replace ',.*' | Should -Be IncompleteItem, IncompleteItem
    }

    It 'shows means in a table, and each token with -Detailed' {
        Measure-AdapterDivergence -TextPath $text -Session $session | Out-String -Width 160 | Should -Match 'bible +bible +1152 +2[.,]309905 +2[.,]81717\d +0[.,]33937\d'
        Measure-AdapterDivergence 'And God said' -Session $session -Detailed | Out-String -Width 160 | Should -Match "' God' +\d[.,]\d{6}"
    }
}

BeforeAll {
    . (Join-Path $PSScriptRoot common.ps1)
    $base = Join-Path $Samples base
    $session = New-SwaySession $base (Join-Path $Samples adapters bible)
    $prompt = 'And God said unto'
}

AfterAll {
    Get-SwaySession | Remove-SwaySession
}

Describe 'Get-AdapterNextToken' {
    It 'gives what float64 gives, in both views' {
        $result = Get-AdapterNextToken $prompt -Session $session -TopK 10
        $result.Base.Ids | Should -Be 262, 319, 386, 356, 300, 455, 374, 393, 343, 420
        $result.Adapted.Ids | Should -Be 331, 352, 438, 262, 300, 420, 393, 520, 386, 585
        Assert-Near $result.Base.LogProbs[0..3] (-1.0334234916, -2.5535363326, -2.7696174692, -2.9013806803)
        Assert-Near $result.Adapted.LogProbs[0..3] (-1.6616083848, -1.6632742216, -1.7240107221, -2.8700641659)
        Assert-Near ([math]::Exp($result.Base.TailLogProb)), ([math]::Exp($result.Adapted.TailLogProb)) (0.2334359421, 0.1930833197) 1e-5
        $result.Adapted.Tokens[0..2] | Should -Be ' me', ' him', ' them'
        $result.BaseToken | Should -BeExactly ' the'
        $result.AdaptedToken | Should -BeExactly ' me'
        $result.PromptTokenCount | Should -Be 5
        $result.VocabularySize | Should -Be 1024
    }

    It 'has no tail when it lists the whole vocabulary, and its probabilities are one' {
        $result = Get-AdapterNextToken $prompt -Session $session -TopK 5000
        $result.Base.Ids.Count | Should -Be 1024
        $result.Base.TailLogProb | Should -BeNullOrEmpty
        Assert-Near ($result.Adapted.LogProbs | ForEach-Object { [math]::Exp($_) } | Measure-Object -Sum).Sum 1 1e-9
    }

    It 'takes prompts, objects and tokens' {
        $rows = $prompt, @{ Id = 'p'; Prompt = $prompt }, [pscustomobject]@{ PromptIds = '1022 314 565 416 441' } | Get-AdapterNextToken -Session $session
        $rows.Id | Should -Be 0, p, 2
        $rows[1].Base.LogProbs | Should -Be $rows[0].Base.LogProbs
        $rows[2].Base.LogProbs | Should -Be $rows[0].Base.LogProbs
        (Get-AdapterNextToken -PromptId 1022, 314, 565, 416, 441 -Session $session).Base.LogProbs | Should -Be $rows[0].Base.LogProbs
    }

    It 'takes adapters from the pipeline' {
        $rows = Get-ChildItem (Join-Path $Samples adapters) -Directory -Exclude broken | Get-AdapterNextToken $prompt -Model $base
        $rows.Count | Should -Be 5
        ($rows | Where-Object Adapter -Like '*bible').AdaptedToken | Should -BeExactly ' me'
        ($rows | Where-Object Adapter -Like '*untrained').AdaptedProbability | Should -Be $rows[0].BaseProbability
    }

    It 'needs a start token for an empty prompt' {
        Get-AdapterNextToken '' -Session $session | Should -HaveCount 1
        { Get-AdapterNextToken '' -Session $session -Bos Never -ErrorAction Stop } | Should -Throw -ErrorId 'ScoringFailed,*'
    }

    It 'shows the first tokens of both views, and the ranking with -Detailed' {
        Get-AdapterNextToken $prompt -Session $session | Out-String -Width 160 | Should -Match "' the' 35[.,]6\s?%, ' my'.*' me' 19[.,]0\s?%"
        Get-AdapterNextToken $prompt -Session $session -TopK 3 -Detailed | Out-String -Width 160 | Should -Match "2 +' my' +7[.,]78\s?% +' him' +18[.,]95\s?%"
    }
}
